"""One mail over one SMTP connection, and what each answer of the relay means for it."""

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiosmtplib
from aiosmtplib import SMTP, SMTPResponse

from services.dispatcher.delivery.ports import Busy, Receipt
from services.dispatcher.settings import Settings, SmtpSecurity
from shared.contract import mail_status
from shared.contract.outcomes import AttemptOutcome, Reason

_OK, _START_INPUT, _UNAVAILABLE, _PERMANENT = 250, 354, 421, 500
_ACCEPTED = frozenset({250, 251})
_BUSY_SECONDS = 5.0
_IDLE_SECONDS = 30.0
"""Relays close what is idle after minutes; a connection left alone for longer is not trusted."""
_QUIT_SECONDS = 1.0
_LONGEST_DETAIL = 200
_AN_ADDRESS = re.compile(r"\S+@\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LEADING_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom; `utf8`: the recipient's local part needs SMTPUTF8 (RFC 6531)."""

    sender: str
    recipient: str

    @property
    def utf8(self) -> bool:
        """Whether plain SMTP cannot name the recipient."""
        return not self.recipient.isascii()


class RefusedError(Exception):
    """The relay answered `verb` with something else than it should have."""

    def __init__(self, response: SMTPResponse, verb: bytes = b"") -> None:
        super().__init__(response.code)
        self.response = response
        self.verb = verb


@dataclass(slots=True)
class Progress:
    """How far a mail has got: on a connection that served before, and whether its final dot may have left us."""

    reused: bool = False
    handed_over: bool = False


async def transfer(client: SMTP, envelope: Envelope, message: bytes, progress: Progress) -> None:
    """Send one mail; returns when the relay has taken it.

    Raises:
        RefusedError: the relay said no; the connection can be used again after a reset.
        aiosmtplib.SMTPException, OSError: the connection broke; `progress` says at which side of the final dot.
    """
    options = [b"SMTPUTF8"] if envelope.utf8 else []
    await _asked(client, {_OK}, b"MAIL", b"FROM:<%s>" % envelope.sender.encode(), *options)
    await _asked(client, _ACCEPTED, b"RCPT", b"TO:<%s>" % envelope.recipient.encode())
    await _asked(client, {_START_INPUT}, b"DATA")
    protocol = client.protocol
    if protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("the connection was lost before the mail was sent")
    progress.handed_over = True
    protocol.write(_LEADING_DOT.sub(b"..", message) + b".\r\n")
    response = await protocol.read_response(timeout=client.timeout)
    if response.code != _OK:
        raise RefusedError(response)


async def reset(client: SMTP) -> None:
    """Make a connection ready for the next mail after a refusal, or close it."""
    try:
        await _asked(client, {_OK}, b"RSET")
    except (RefusedError, aiosmtplib.SMTPException, OSError):
        client.close()


async def _asked(client: SMTP, expected: set[int] | frozenset[int], *command: bytes) -> None:
    response = await client.execute_command(*command)
    if response.code not in expected:
        raise RefusedError(response, command[0])


def answered(response: SMTPResponse) -> Receipt | Busy:
    """What a refusal of a mail means (RFC 5321 4.2.1): 421 wait, 4xx again, 5xx never; anything else again."""
    detail = told(response)
    if response.code == _UNAVAILABLE:
        return Busy(_BUSY_SECONDS, detail)
    if response.code >= _PERMANENT:
        return Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_REFUSED, detail)
    return Receipt(AttemptOutcome.RETRY, Reason.DESTINATION_UNAVAILABLE, detail)


def refused(error: RefusedError) -> Receipt | Busy:
    """What a refusal means at its verb: at RCPT the relay may say that there is no such mailbox."""
    answer = answered(error.response)
    if isinstance(answer, Busy) or error.verb != b"RCPT":
        return answer
    return dataclasses.replace(answer, no_mailbox=mail_status.is_gone(error.response.message))


def told(response: SMTPResponse) -> str:
    """What the relay said, on one line, without addresses."""
    words = " ".join(_CONTROL.sub(" ", response.message).split()).encode(errors="replace").decode()
    return f"{response.code} {_AN_ADDRESS.sub('[address]', words)}"[:_LONGEST_DETAIL]


@dataclass(slots=True)
class _Idle:
    client: SMTP
    mails: int
    since: float


class Connections:
    """Open connections to the relay; the caller bounds how many are out at a time."""

    def __init__(self, settings: Settings, hostname: str) -> None:
        self._settings = settings
        self._hostname = hostname
        self._idle: list[_Idle] = []

    @asynccontextmanager
    async def one(self, progress: Progress, *, fresh: bool) -> AsyncIterator[SMTP]:
        """A connection for one mail, kept for the next unless the body raises or it has served long enough.

        A body that is cancelled has left the conversation in the middle, so its connection is closed.

        Raises:
            aiosmtplib.SMTPException, OSError: no connection, or the relay does not want one.
        """
        idle = await self._taken(fresh=fresh)
        progress.reused = idle.mails > 0
        try:
            yield idle.client
        except BaseException:
            idle.client.close()
            raise
        await self._given_back(idle)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        for idle in self._idle:
            await _quit(idle.client)
        self._idle.clear()

    async def _taken(self, *, fresh: bool) -> _Idle:
        now = asyncio.get_running_loop().time()
        while self._idle and not fresh:
            idle = self._idle.pop()
            if idle.client.is_connected and now - idle.since < _IDLE_SECONDS:
                return idle
            idle.client.close()
        client = _client(self._settings, self._hostname)
        try:
            await client.connect()
            await client.ehlo()
        except BaseException:
            client.close()
            raise
        return _Idle(client, 0, now)

    async def _given_back(self, idle: _Idle) -> None:
        idle.mails += 1
        idle.since = asyncio.get_running_loop().time()
        if not idle.client.is_connected:
            return
        if idle.mails >= self._settings.smtp_mails_per_connection:
            await _quit(idle.client)
        else:
            self._idle.append(idle)


def _client(settings: Settings, hostname: str) -> SMTP:
    login = settings.smtp_username or None
    return SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        local_hostname=hostname,
        username=login,
        password=settings.smtp_password.get_secret_value() if login else None,
        timeout=settings.send_timeout_seconds,
        use_tls=settings.smtp_security is SmtpSecurity.TLS,
        start_tls=settings.smtp_security is SmtpSecurity.STARTTLS,
    )


async def _quit(client: SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit(timeout=_QUIT_SECONDS)
    client.close()
