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


class Sink:
    """What aiosmtpd calls after the final dot."""

    def __init__(self, shelf: Shelf[Mail]) -> None:
        self._shelf = shelf
        self._numbers = itertools.count(1)

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
    """One connection. Ordinary addresses are read by a pattern: the full grammar takes a third of a mail's time."""

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        if plain := PLAIN_ADDRESS.fullmatch(arg.strip()):
            return plain["address"], plain["rest"]
        address, rest = super()._getaddr(arg)
        return address, rest


async def serve(shelf: Shelf[Mail], port: int) -> asyncio.Server:
    """Listen on loopback without authentication."""
    sink = Sink(shelf)

    def session() -> Session:
        return Session(sink, data_size_limit=LARGEST_BYTES, enable_SMTPUTF8=True, hostname="mailbox.localhost")

    return await asyncio.get_running_loop().create_server(session, LOOPBACK, port, backlog=512)
