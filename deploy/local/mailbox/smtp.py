"""The SMTP side: accepts everything and stores the raw bytes."""

import asyncio
import datetime as dt
import itertools
import re

from aiosmtpd import smtp

from deploy.local.mailbox.mails import Mail
from deploy.local.mailbox.shelf import Shelf
from deploy.local.ports import LOOPBACK

PLAIN_ADDRESS = re.compile(r"<(?P<address>[\w.+=-]{1,64}@[\w.-]{1,255})>(?P<rest>(?: .*)?)")
LARGEST_BYTES = 40_000_000  # a 10,000,000-character body in the worst transfer encoding
LONGEST_LINE = 1_000  # bytes before the LF: 998, the dot that is doubled on its way, and CR
END = b".\r\n"


class Sink:
    """What aiosmtpd calls after the final dot."""

    def __init__(self, shelf: Shelf[Mail]) -> None:
        self._shelf = shelf
        self._numbers = itertools.count(1)

    async def handle_EHLO(  # noqa: N802 - the name aiosmtpd looks for, and what it hands over
        self, server: smtp.SMTP, session: smtp.Session, envelope: smtp.Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Tell that commands may come without waiting for answers (RFC 2920): the reader bears it."""
        del server, envelope
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd looks for
        self, server: smtp.SMTP, session: smtp.Session, envelope: smtp.Envelope
    ) -> str:
        """Store it and say so."""
        del server, session
        now = dt.datetime.now(dt.UTC)
        recipients = tuple(envelope.rcpt_tos)
        raw = envelope.original_content or b""
        self._shelf.add(Mail(next(self._numbers), envelope.mail_from or "", recipients, raw, now))
        return "250 2.0.0 caught"


class Session(smtp.SMTP):
    """One connection, with short ways for what every mail asks.

    Ordinary addresses are read by a pattern, since the full grammar takes a third of a mail's time; the content is read
    in pieces as they come, since line by line takes another.
    """

    line_length_limit = LARGEST_BYTES  # what the reader bears; smtp_DATA minds the lines

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        if plain := PLAIN_ADDRESS.fullmatch(arg.strip()):
            return plain["address"], plain["rest"]
        address, rest = super()._getaddr(arg)
        return address, rest

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - the name aiosmtpd looks for
        """Take a mail's content; what is asked out of turn is aiosmtpd's to refuse."""
        envelope = self.envelope
        if arg or envelope is None or not envelope.rcpt_tos:
            await super().smtp_DATA(arg)
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = await self._content()
        if content is None:
            await self.push("552 Error: Too much mail data")
        elif max(map(len, content.split(b"\n"))) > LONGEST_LINE:
            await self.push("500 Line too long (see RFC5321 4.5.3.1.6)")
        else:
            envelope.original_content = content.removeprefix(b".").replace(b"\r\n.", b"\r\n")
            await self.push(await self._call_handler_hook("DATA"))
        self.envelope = self._create_envelope()

    async def _content(self) -> bytes | None:
        """What comes before the final dot, as it came over the wire; None: it was too large, and nothing is kept."""
        content, too_large = bytearray(), False
        while content != END and not content.endswith(b"\r\n" + END):
            try:
                content += await self._reader.readuntil(END)
            except asyncio.LimitOverrunError as error:
                content += await self._reader.read(error.consumed)
            if len(content) > LARGEST_BYTES + len(END):
                too_large = True
                del content[: -2 * len(END)]  # enough to know the end by
        return None if too_large else bytes(content[: -len(END)])


async def serve(shelf: Shelf[Mail], port: int) -> asyncio.Server:
    """Listen on loopback without authentication."""
    sink = Sink(shelf)

    def session() -> Session:
        return Session(sink, data_size_limit=LARGEST_BYTES, enable_SMTPUTF8=True, hostname="mailbox.localhost")

    return await asyncio.get_running_loop().create_server(session, LOOPBACK, port, backlog=512)
