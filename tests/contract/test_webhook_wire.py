"""The webhook sink's HTTP, byte by byte: what it sends, what it makes of strange answers, and whom it trusts."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.abc import ResolveResult

from services.dispatcher.delivery.ports import Receipt
from services.dispatcher.sinks import network, posting, webhook
from services.dispatcher.sinks.webhook import WebhookSink
from shared.clock import SystemClock
from shared.contract.outcomes import AttemptOutcome, Reason
from tests.contract.test_webhook_sink import Rebinding
from tests.support import certificates, claims, scripted_http
from tests.support.scripted_http import Scripted

DELIVERED, RETRY, FAILED, AMBIGUOUS = AttemptOutcome
TAKEN = Receipt(DELIVERED, None, "HTTP 200")
MALFORMED = Receipt(AMBIGUOUS, Reason.AMBIGUOUS, "MalformedAnswerError")
CUT_OFF = Receipt(AMBIGUOUS, Reason.AMBIGUOUS, "ServerDisconnectedError")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_http.running() as running:
        yield running


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[WebhookSink]:
    async with webhook.open_sink(claims.settings(), SystemClock()) as opened:
        yield opened


ANSWERS = {
    "chunked": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n"], TAKEN),
    "interim first": ([b"HTTP/1.1 103 Early Hints\r\nRetry-After: 3\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"], TAKEN),
    "byte by byte": ([bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], TAKEN),
    "until the end": ([b"HTTP/1.1 200 OK\r\n\r\n", b"it ends when it ends"], TAKEN),
    "body cut off": ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], TAKEN),
    "refused in capitals": (
        [b"HTTP/1.1 503 -\r\nRETRY-AFTER: 5\r\nContent-Length: 0\r\n\r\n"],
        Receipt(RETRY, Reason.DESTINATION_UNAVAILABLE, "HTTP 503", 5.0),
    ),
    "nothing": ([], CUT_OFF),
    "half a header": ([b"HTTP/1.1 200 OK\r\nContent-Le"], CUT_OFF),
    "no HTTP": ([b"220 relay.example ESMTP\r\n"], MALFORMED),
    "switching protocols": ([b"HTTP/1.1 101 -\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nhello"], MALFORMED),
    "endless header": ([b"HTTP/1.1 200 OK\r\n", *[b"X-Filler: " + b"x" * 4_000 + b"\r\n"] * 40], MALFORMED),
    "interim for ever": ([b"HTTP/1.1 102 Processing\r\n\r\n"] * 4_000, MALFORMED),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_each_strange_answer_means_one_outcome(sink: WebhookSink, server: Scripted, case: str) -> None:
    pieces, receipt = ANSWERS[case]
    server.pieces, server.closes = tuple(pieces), True
    assert await sink.send(claims.push(f"http://127.0.0.1:{server.port}/hook")) == receipt


async def test_a_body_that_never_ends_in_time_does_not_take_the_status_back(
    sink: WebhookSink, server: Scripted
) -> None:
    server.pieces = (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",)
    assert await sink.send(claims.push(f"http://127.0.0.1:{server.port}/hook")) == TAKEN
    assert await sink.send(claims.push(f"http://127.0.0.1:{server.port}/hook")) == TAKEN
    assert server.connections == 2, "a connection in the middle of an answer serves nobody else"


LEAVES_NOTHING = {
    "says close": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two answers at once": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 -\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("case", LEAVES_NOTHING)
async def test_a_connection_that_cannot_be_trusted_with_another_request_is_closed(
    sink: WebhookSink, server: Scripted, case: str
) -> None:
    server.pieces = (LEAVES_NOTHING[case],)
    for _ in range(2):
        assert await sink.send(claims.push(f"http://127.0.0.1:{server.port}/hook")) == TAKEN
    assert server.connections == 2


async def test_a_send_that_is_cancelled_leaves_no_connection_to_the_next(sink: WebhookSink, server: Scripted) -> None:
    server.pieces = ()
    sending = asyncio.create_task(sink.send(claims.push(f"http://127.0.0.1:{server.port}/hook")))
    await server.asked.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    server.pieces = (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)
    assert await sink.send(claims.push(f"http://127.0.0.1:{server.port}/hook")) == TAKEN
    assert server.connections == 2


TARGETS = [
    ("/hook", b"/hook"),
    ("", b"/"),
    ("?a=b", b"/?a=b"),
    ("/a/b?c=d&e=f%20g#part", b"/a/b?c=d&e=f%20g"),
    ('/{a}|"b"?<c>=^', b"/%7Ba%7D%7C%22b%22?%3Cc%3E=%5E"),
]


@pytest.mark.parametrize(("written", "sent"), TARGETS, ids=[written for written, _ in TARGETS])
async def test_the_request_names_its_target_and_host(
    sink: WebhookSink, server: Scripted, written: str, sent: bytes
) -> None:
    await sink.send(claims.push(f"HTTP://127.0.0.1:{server.port}{written}"))
    first, host, *_ = server.requests[0].split(b"\r\n")
    assert first == b"POST %b HTTP/1.1" % sent
    assert host == b"Host: 127.0.0.1:%d" % server.port


async def test_a_name_is_asked_once_for_many_sends_at_a_time(server: Scripted) -> None:
    resolver = Rebinding(["127.0.0.1"])
    settings = claims.settings(allowed_private_hosts="hooks.example")
    async with webhook.open_sink(settings, SystemClock(), resolver) as sink:
        claim = claims.push(f"http://hooks.example:{server.port}/hook")
        receipts = await asyncio.gather(*(sink.send(claim) for _ in range(20)))
    assert {receipt.outcome for receipt in receipts} == {DELIVERED}
    assert server.connections == 20


async def test_a_lookup_that_failed_is_asked_again(server: Scripted) -> None:
    resolver = network.KeptResolver(Rebinding(["127.0.0.1"]))
    assert [each["host"] for each in await resolver.resolve("one.example", 1)] == ["127.0.0.1"]
    with pytest.raises(IndexError):
        await resolver.resolve("two.example", 1)
    await asyncio.sleep(0)
    with pytest.raises(IndexError):
        await resolver.resolve("two.example", 1)
    assert server.connections == 0


async def test_idle_connections_are_closed_in_time(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_IDLE_SECONDS", 0.02)
    async with webhook.open_sink(claims.settings(), SystemClock()) as sink:
        await sink.send(claims.push(f"http://127.0.0.1:{server.port}/hook"))
        await asyncio.wait_for(server.left.wait(), 5.0)


async def test_closing_ends_although_a_connection_does_not(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_CLOSE_SECONDS", 0.0)
    resolver = Rebinding(["127.0.0.1"], ["127.0.0.1"])
    settings = claims.settings(allowed_private_hosts="hooks.example")
    async with webhook.open_sink(settings, SystemClock(), resolver) as sink:
        await sink.send(claims.push(f"http://hooks.example:{server.port}/hook"))
    assert resolver.answers == [], "the resolver is closed too"


class Hanging(Rebinding):
    """A name server that does not answer, and a lookup that takes its time to be called off."""

    def __init__(self) -> None:
        super().__init__(["127.0.0.1"])
        self.asked = asyncio.Event()
        self.answering = asyncio.Event()
        self.ended = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.set()
        try:
            await self.answering.wait()
            return await super().resolve(host, port, family)
        finally:
            await asyncio.sleep(0)
            self.ended = True


async def test_no_lookup_is_under_way_when_the_resolver_is_closed() -> None:
    hanging = Hanging()
    kept = network.KeptResolver(hanging)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(kept.resolve("hooks.example", 1))
        await asyncio.wait_for(hanging.asked.wait(), 5)
        await kept.close()
        assert hanging.ended
        await asyncio.wait([asking])
    assert asking.cancelled()


TRUST = [
    ("hooks.example", "trusted", TAKEN),
    ("other.example", "trusted", Receipt(RETRY, Reason.DESTINATION_UNAVAILABLE, "ConnectError")),
    ("hooks.example", "", Receipt(RETRY, Reason.DESTINATION_UNAVAILABLE, "ConnectError")),
]


@pytest.mark.parametrize(("name", "trusted", "receipt"), TRUST, ids=["trusted", "of another host", "unknown"])
async def test_only_a_host_that_proves_its_name_is_told_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: str, receipt: Receipt
) -> None:
    shown, context = certificates.certified(tmp_path, name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(shown))
    settings = claims.settings(allowed_private_hosts="hooks.example")
    async with (
        scripted_http.running(context) as server,
        webhook.open_sink(settings, SystemClock(), Rebinding(["127.0.0.1"])) as sink,
    ):
        server.pieces = (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)
        assert await sink.send(claims.push(f"https://hooks.example:{server.port}/hook")) == receipt
        assert len(server.requests) == (receipt is TAKEN)
