"""HTTP/1.1 with bounds on what comes before a body: how many bytes, and how long they may take.

uvicorn's parser keeps a header's value as long as it goes on, and copies it with every piece that comes: one
connection without a key could hold up a whole service. RFC 9110 (15.5.9) and RFC 6585 (5) name the answers.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
"""Address and headers of a request, and whatever of it is neither those nor body, such as trailers."""

HEAD_SECONDS = 30.0
_LINGER_SECONDS = 1.0
"""To a client that still sends, a connection closed at once is an error of the network: it never sees the answer."""

_DETAILS = {
    HTTPStatus.BAD_REQUEST: "this is no HTTP/1.1 request; send what RFC 9112 describes",
    HTTPStatus.REQUEST_TIMEOUT: "address and headers did not come in time; send them at once",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"address and headers have more than {MOST_HEAD_BYTES:,} bytes; "
    "send fewer or shorter ones",
}


class _TooLargeError(ValueError):
    """The head is whole, and too large; the parser passes it on as an error of its own."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, which answers 431 or 408 to a head that is too large or too slow, and closes."""

    def __init__(self, *args: Any, head_seconds: float = HEAD_SECONDS, **kwargs: Any) -> None:
        """As uvicorn makes one for each connection."""
        super().__init__(*args, **kwargs)
        self._head_seconds = head_seconds
        self._refusal = HTTPStatus.BAD_REQUEST
        self._is_refused = False
        self._is_in_head = True
        self._is_getting_on = False
        self._waiting_bytes = 0
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and refuse it when it goes on and on without a head's end or a body."""
        if self._is_refused:
            return
        self._is_getting_on = False
        super().data_received(data)
        if self._is_refused or self.transport.is_closing():
            return
        self._waiting_bytes = 0 if self._is_getting_on else self._waiting_bytes + len(data)
        if self._waiting_bytes > MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif not self._is_in_head:
            self._stop_waiting()
        elif self._patience is None:
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large, although it came at once."""
        self._is_in_head, self._is_getting_on = False, True
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MOST_HEAD_BYTES:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise _TooLargeError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._is_getting_on = True
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser did not take; `msg` is uvicorn's, and says less."""
        del msg
        self._refuse(self._refusal)

    def _wait(self) -> None:
        self._patience = self.loop.call_later(self._head_seconds, self._lose_patience)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait()  # the answer to the request before is still on its way
        elif self._waiting_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        self._is_refused = True
        self._stop_waiting()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whatever it answers is not sent any more
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": _DETAILS[status]}
        content = orjson.dumps(problem)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.write_eof()
        self._patience = self.loop.call_later(_LINGER_SECONDS, self.transport.close)
