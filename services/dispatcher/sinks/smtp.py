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
from services.dispatcher.sinks.conversation import Conversation
from shared.contract import mail_status
from shared.contract.outcomes import AttemptOutcome, Reason

_OK, _START_INPUT, _UNAVAILABLE, _PERMANENT = 250, 354, 421, 500
_VERBS = ((b"MAIL", {_OK}), (b"RCPT", {_OK, 251}), (b"DATA", {_START_INPUT}))
"""The commands of a mail, and what the relay says to each where it takes it."""
_BUSY_SECONDS = 5.0
_IDLE_SECONDS = 30.0
"""Relays close what is idle after minutes; a connection left alone for longer is not trusted."""
_QUIT_SECONDS = 1.0
_LONGEST_DETAIL = 200
_AN_ADDRESS = re.compile(r"\S+@\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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


async def transfer(conversation: Conversation, envelope: Envelope, message: bytes, progress: Progress) -> None:
    """Send one mail; returns when the relay has taken it.

    Raises:
        RefusedError: the relay said no; the connection can be used again after a reset.
        aiosmtplib.SMTPException, OSError: the connection broke; `progress` says at which side of the final dot.
    """
    sender = b"MAIL FROM:<%s>%s" % (envelope.sender.encode(), b" SMTPUTF8" if envelope.utf8 else b"")
    answers = await conversation.ask(sender, b"RCPT TO:<%s>" % envelope.recipient.encode(), b"DATA")
    for (verb, expected), answer in zip(_VERBS, answers, strict=False):
        if answer.code not in expected:
            if answers[-1].code == _START_INPUT:  # sent along, and now it must have its end (RFC 2920, 3.1)
                await conversation.tell(b"")
            raise RefusedError(answer, verb)
    if len(answers) < len(_VERBS) or not conversation.usable:
        raise aiosmtplib.SMTPServerDisconnected("the connection was lost before the mail was sent")
    progress.handed_over = True
    response = await conversation.tell(message)
    if response.code != _OK:
        raise RefusedError(response)


async def reset(conversation: Conversation) -> None:
    """Make a connection ready for the next mail after a refusal, or close it."""
    try:
        (answer,) = await conversation.ask(b"RSET")
    except (aiosmtplib.SMTPException, OSError):
        conversation.close()
    else:
        if answer.code != _OK:
            conversation.close()


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
    conversation: Conversation
    mails: int
    since: float


class Connections:
    """Open connections to the relay; the caller bounds how many are out at a time."""

    def __init__(self, settings: Settings, hostname: str) -> None:
        self._settings = settings
        self._hostname = hostname
        self._idle: list[_Idle] = []

    @asynccontextmanager
    async def one(self, progress: Progress, *, fresh: bool) -> AsyncIterator[Conversation]:
        """A connection for one mail, kept for the next unless the body raises or it has served long enough.

        A body that is cancelled has left the conversation in the middle, so its connection is closed.

        Raises:
            aiosmtplib.SMTPException, OSError: no connection, or the relay does not want one.
        """
        idle = await self._taken(fresh=fresh)
        progress.reused = idle.mails > 0
        try:
            yield idle.conversation
        except BaseException:
            idle.conversation.close()
            raise
        await self._given_back(idle)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        for idle in self._idle:
            await _quit(idle.conversation)
        self._idle.clear()

    async def _taken(self, *, fresh: bool) -> _Idle:
        now = asyncio.get_running_loop().time()
        while self._idle and not fresh:
            idle = self._idle.pop()
            if idle.conversation.usable and now - idle.since < _IDLE_SECONDS:
                return idle
            idle.conversation.close()
        client = _client(self._settings, self._hostname)
        try:
            await client.connect()
            await client.ehlo()
            return _Idle(Conversation(client), 0, now)
        except BaseException:
            client.close()
            raise

    async def _given_back(self, idle: _Idle) -> None:
        idle.mails += 1
        idle.since = asyncio.get_running_loop().time()
        if not idle.conversation.usable:
            return
        if idle.mails >= self._settings.smtp_mails_per_connection:
            await _quit(idle.conversation)
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


async def _quit(conversation: Conversation) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_QUIT_SECONDS):
            await conversation.ask(b"QUIT")
    conversation.close()
