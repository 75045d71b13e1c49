"""One HTTP/1.1 connection that requests are sent over, one at a time: asyncio carries it, llhttp reads the answers.

Of an answer the status and Retry-After are kept. Its body is read only so that the connection can be used again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

_LARGEST_ANSWER_BYTES = 64 * 1024
"""An answer is read this far, header and body; a longer one costs the connection."""

_FINAL = 200
"""Answers below this number announce another one (RFC 9110 15.2)."""


class ServerDisconnectedError(Exception):
    """The connection ended before an answer came; what was sent may have arrived."""


class MalformedAnswerError(Exception):
    """What came is no HTTP/1.1 answer, or its header does not end; what was sent has arrived."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: its status, and its Retry-After as it was written."""

    status: int
    retry_after: str | None = None


class Connection(asyncio.Protocol):
    """A connection from the moment it stands; `closed` is told when it has ended."""

    def __init__(self, closed: Callable[["Connection"], None]) -> None:
        self._closed = closed
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport
        self._status = 0
        self._retry_after: str | None = None
        self._received_bytes = 0

    async def ask(self, request: bytes, seconds: float) -> Answer:
        """Send a whole request and wait for its answer; whoever asks is alone here, and closes after all but an answer.

        An answer whose status is known counts, even when its body is late, endless or cut off.

        Raises:
            TimeoutError: no answer came within `seconds`.
            ServerDisconnectedError, MalformedAnswerError: as they say.
        """
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._status, self._retry_after, self._received_bytes = 0, None, 0
        late = loop.call_later(seconds, self._end, TimeoutError())
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            late.cancel()
            self._waiting = None

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return not self._transport.is_closing()

    def close(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        """A piece of an answer, or something that nobody asked for."""
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end(MalformedAnswerError())
        if self._received_bytes > _LARGEST_ANSWER_BYTES or self._waiting is None:
            self._end(MalformedAnswerError())

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Nothing more comes."""
        self._end(ServerDisconnectedError())
        self._closed(self)

    def on_message_begin(self) -> None:
        """Another answer after the last one asked for belongs to nothing."""
        if self._waiting is None or self._waiting.done():
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of the answer's header."""
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The status is known, unless it announces another one."""
        status = self._parser.get_status_code()
        if status >= _FINAL:
            self._status = status

    def on_message_complete(self) -> None:
        """The answer is read; the connection goes on if both sides want it to."""
        if not self._status:
            self._retry_after = None  # belongs to an answer that only announced another one
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._settle()

    def _end(self, error: Exception) -> None:
        """Close; the request under way has the answer whose status came, else failed with `error`."""
        self._transport.abort()
        if self._status:
            self._settle()
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def _settle(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(self._status, self._retry_after))
