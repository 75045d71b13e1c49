"""One SMTP connection that mails go over, one at a time: commands leave together where the relay allows it.

aiosmtplib opens the connection, secures it, logs in and asks what the relay can do; from then on it is talked over
here, since aiosmtplib waits for the answer of each command before it sends the next (RFC 2920 is about not to).
"""

import asyncio
import re
from typing import cast

import aiosmtplib
from aiosmtplib import SMTP, SMTPResponse

_LARGEST_ANSWER_BYTES = 32 * 1024
_CLOSING, _MALFORMED = 421, -1
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_CODE = re.compile(rb"[2-5][0-9]{2}(?=[ -]|$)")


class Conversation(asyncio.Protocol):
    """What is left of a connection's talk once aiosmtplib has made it ready; `utf8`: the relay takes SMTPUTF8."""

    def __init__(self, client: SMTP) -> None:
        """Take the connection of a client over, which must not be used again.

        Raises:
            aiosmtplib.SMTPServerDisconnected: it has ended already.
        """
        if client.transport is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost as soon as it stood")
        self.utf8 = client.supports_extension("smtputf8")
        self._pipelining = client.supports_extension("pipelining")
        self._received = bytearray()
        self._lines: list[bytes] = []
        self._answers: list[SMTPResponse] = []
        self._expected = 0
        self._waiting: asyncio.Future[None] | None = None
        self._transport = cast("asyncio.Transport", client.transport)  # uvloop's is one in all but its class
        self._transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether more can be asked."""
        return not self._transport.is_closing()

    def close(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    async def ask(self, *commands: bytes) -> list[SMTPResponse]:
        """The answers to commands: to all of them, or up to the one at which the relay ended the connection.

        Without pipelining, they end at the first that says no, too. Whoever asks is alone here, and closes the
        connection unless the answers came.

        Raises:
            ValueError: a command would be more than one line.
            aiosmtplib.SMTPException: the connection ended without an answer, or what came is none.
        """
        if any(_CONTROL.search(command) for command in commands):
            raise ValueError("a command holds a control character")
        if self._pipelining:
            return await self._answered(b"".join(command + b"\r\n" for command in commands), len(commands))
        answers: list[SMTPResponse] = []
        for command in commands:
            answers += await self._answered(command + b"\r\n", 1)
            if answers[-1].code >= _CLOSING:
                break
        return answers

    async def tell(self, content: bytes) -> SMTPResponse:
        """The answer to a mail's content, whose lines end in CRLF; errors as `ask`."""
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        return (await self._answered(stuffed + b".\r\n", 1))[0]

    async def _answered(self, data: bytes, expected: int) -> list[SMTPResponse]:
        if not self.usable:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost before")
        self._answers, self._expected = [], expected
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        try:
            await self._waiting
        finally:
            self._waiting = None
        return self._answers

    def data_received(self, data: bytes) -> None:
        """A piece of answers; what nobody asked for ends the connection, for an answer later would be taken for it."""
        if self._waiting is None or self._waiting.done():
            self._end("the relay spoke unasked")
            return
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        for line in lines:
            self._line(bytes(line.rstrip(b"\r")))
        if len(self._received) + sum(map(len, self._lines)) > _LARGEST_ANSWER_BYTES:
            self._end("an answer does not end")

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Nothing more comes; what has come counts."""
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if self._answers:
            waiting.set_result(None)
        else:
            waiting.set_exception(aiosmtplib.SMTPServerDisconnected("the connection was lost"))

    def _line(self, line: bytes) -> None:
        code = _CODE.match(line)
        if code is None:
            self._end("what came is no answer of SMTP")
            return
        self._lines.append(line[4:])
        if line[3:4] == b"-":
            return
        said = b"\n".join(self._lines).decode(errors="surrogateescape")
        self._lines.clear()
        self._answers.append(SMTPResponse(int(code[0]), said))
        if int(code[0]) == _CLOSING:
            self.close()
        if len(self._answers) == self._expected or int(code[0]) == _CLOSING:
            self._settle()

    def _settle(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _end(self, why: str) -> None:
        self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(aiosmtplib.SMTPResponseException(_MALFORMED, why))
