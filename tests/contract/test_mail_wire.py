"""The mail sink's SMTP, byte by byte: what leaves together, strange answers, and the relay's certificate."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.dispatcher.delivery.ports import Busy, Receipt
from services.dispatcher.settings import SmtpSecurity
from services.dispatcher.sinks import mail
from services.dispatcher.sinks.mail import MailSink
from shared.clock import SystemClock
from shared.contract.outcomes import AttemptOutcome, Reason
from tests.support import certificates, claims

DELIVERED, RETRY, FAILED, AMBIGUOUS = AttemptOutcome
CAPABLE = b"250-relay\r\n250 PIPELINING\r\n"
GO_ON = b"250 OK\r\n250 OK\r\n354 go on\r\n"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def sink_at(port: int, **settings: object) -> AsyncIterator[MailSink]:
    told = claims.settings(smtp_port=port, **settings)
    async with mail.open_sink(told, claims.StoredMails(), SystemClock()) as sink:
        yield sink


@contextlib.asynccontextmanager
async def relay(transaction: Talk) -> AsyncIterator[MailSink]:
    """A sink whose relay greets, can pipeline, and then does `transaction` on each connection."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 relay\r\n")
            await reader.readuntil(b"\r\n")
            writer.write(CAPABLE)
            await transaction(reader, writer)
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server, sink_at(int(server.sockets[0].getsockname()[1])) as sink:
        yield sink


async def test_the_commands_of_a_mail_leave_before_the_first_answer() -> None:
    commands: list[bytes] = []

    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands.append(await reader.readuntil(b"DATA\r\n"))
        writer.write(GO_ON)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")

    async with relay(patient) as sink:
        assert await sink.send(claims.email("ada@example.test")) == Receipt(DELIVERED)
    assert commands == [b"MAIL FROM:<tocsin@sender.example>\r\nRCPT TO:<ada@example.test>\r\nDATA\r\n"]


def unavailable(detail: str) -> Receipt:
    return Receipt(RETRY, Reason.DESTINATION_UNAVAILABLE, detail)


ANSWERS = {
    "in pieces": ([bytes([byte]) for byte in GO_ON], b"250-taken\r\n250 for good\r\n", Receipt(DELIVERED)),
    "without words": ([b"250\r\n250\r\n354\r\n"], b"250\r\n", Receipt(DELIVERED)),
    "refused and closed": (
        [b"250 OK\r\n550-no\r\n550 such user\r\n"], b"",
        Receipt(FAILED, Reason.DESTINATION_REFUSED, "550 no such user"),
    ),
    "closed between": ([b"250 OK\r\n250 OK\r\n"], b"", unavailable("SMTPServerDisconnected")),
    "no answer": ([b"HTTP/1.1 200 OK\r\n"], b"", unavailable("-1 what came is no answer of SMTP")),
    "endless": ([b"250-" + b"x" * 1_000 + b"\r\n"] * 40, b"", unavailable("-1 an answer does not end")),
    "no answer after the dot": ([GO_ON], b"thanks\r\n", Receipt(AMBIGUOUS, Reason.AMBIGUOUS, "SMTPResponseException")),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_strange_answers_are_read_for_what_they_say(name: str) -> None:
    pieces, at_the_dot, receipt = ANSWERS[name]

    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"DATA\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if at_the_dot:
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(at_the_dot)

    async with relay(strange) as sink:
        assert await sink.send(claims.email("ada@example.test")) == receipt


async def test_421_ends_the_conversation_whatever_else_was_asked() -> None:
    async def tired(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"421 not now\r\n")
        await reader.read()

    async with relay(tired) as sink:
        assert await sink.send(claims.email("ada@example.test")) == Busy(5.0, "421 not now")


async def test_what_a_relay_says_unasked_is_no_answer_to_the_next_mail() -> None:
    idle, left = asyncio.Event(), asyncio.Event()

    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"DATA\r\n")
        writer.write(GO_ON)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")
        await writer.drain()
        await idle.wait()
        writer.write(b"550 you have been idle\r\n")
        await reader.read()
        left.set()

    async with relay(talkative) as sink:
        assert await sink.send(claims.email("ada@example.test")) == Receipt(DELIVERED)
        idle.set()
        await asyncio.wait_for(left.wait(), 5.0)
        assert await sink.send(claims.email("ada@example.test")) == Receipt(DELIVERED)


class Keeping:
    """What aiosmtpd tells: keeps the content of mails."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        self.contents.append(envelope.original_content or b"")
        return "250 taken"


@pytest.mark.parametrize("security", [SmtpSecurity.STARTTLS, SmtpSecurity.TLS])
async def test_mails_go_over_a_secured_connection(
    security: SmtpSecurity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, context = certificates.certified(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))
    keeping, loop = Keeping(), asyncio.get_running_loop()
    at_once = security is SmtpSecurity.TLS
    server = await loop.create_server(
        lambda: SMTP(keeping, tls_context=None if at_once else context),
        "127.0.0.1",
        0,
        ssl=context if at_once else None,
    )
    async with (
        server,
        sink_at(int(server.sockets[0].getsockname()[1]), smtp_security=security, smtp_host="localhost") as sink,
    ):
        for _ in range(2):
            assert await sink.send(claims.email("ada@example.test")) == Receipt(DELIVERED)
    assert len(keeping.contents) == 2


async def test_a_relay_that_nobody_vouches_for_gets_no_mail(tmp_path: Path) -> None:
    _, context = certificates.certified(tmp_path, "localhost")
    keeping, loop = Keeping(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keeping, tls_context=context), "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    async with server, sink_at(port, smtp_security=SmtpSecurity.STARTTLS, smtp_host="localhost") as sink:
        receipt = await sink.send(claims.email("ada@example.test"))
        assert isinstance(receipt, Receipt)
        assert receipt.outcome is RETRY
    assert keeping.contents == []
