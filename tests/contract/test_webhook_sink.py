"""The webhook sink against a receiver that misbehaves, and names that mean other addresses than they should."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook as Verifier

from services.dispatcher.delivery.ports import Receipt
from services.dispatcher.sinks import network, webhook
from services.dispatcher.sinks.webhook import WebhookSink
from shared import destinations
from shared.clock import SystemClock
from shared.contract.outcomes import AttemptOutcome, Reason
from shared.destinations import ForbiddenDestinationError
from tests.support import claims, faulty_http
from tests.support.faulty_http import Receiver

DELIVERED, RETRY, FAILED, AMBIGUOUS = AttemptOutcome


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with faulty_http.running() as running:
        yield running


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[WebhookSink]:
    async with webhook.open_sink(claims.settings(), SystemClock()) as opened:
        yield opened


ANSWERS = [
    ("200", Receipt(DELIVERED, None, "HTTP 200")),
    ("204", Receipt(DELIVERED, None, "HTTP 204")),
    ("301", Receipt(FAILED, Reason.DESTINATION_REFUSED, "HTTP 301")),
    ("400", Receipt(FAILED, Reason.DESTINATION_REFUSED, "HTTP 400")),
    ("404", Receipt(FAILED, Reason.DESTINATION_REFUSED, "HTTP 404")),
    ("408", Receipt(RETRY, Reason.DESTINATION_UNAVAILABLE, "HTTP 408")),
    ("410", Receipt(FAILED, Reason.ENDPOINT_GONE, "HTTP 410", gone=True)),
    ("429", Receipt(RETRY, Reason.RATE_LIMITED, "HTTP 429", 7.0)),
    ("500", Receipt(RETRY, Reason.DESTINATION_UNAVAILABLE, "HTTP 500")),
    ("503", Receipt(RETRY, Reason.DESTINATION_UNAVAILABLE, "HTTP 503", 9.0)),
    ("slow", Receipt(DELIVERED, None, "HTTP 200")),
    ("endless", Receipt(DELIVERED, None, "HTTP 200")),
    ("reset", Receipt(AMBIGUOUS, Reason.AMBIGUOUS, "ServerDisconnectedError")),
]


@pytest.mark.parametrize(("behaviour", "receipt"), ANSWERS, ids=[behaviour for behaviour, _ in ANSWERS])
async def test_each_answer_means_one_outcome(
    sink: WebhookSink, receiver: Receiver, behaviour: str, receipt: Receipt
) -> None:
    assert await sink.send(claims.push(f"{receiver.url}/hook/{behaviour}")) == receipt
    assert len(receiver.requests) == 1, "a redirect is not followed and nothing is repeated"


async def test_the_receiver_can_verify_what_it_got(sink: WebhookSink, receiver: Receiver) -> None:
    claim = claims.push(f"{receiver.url}/hook/200")
    await sink.send(claim)
    ((headers, body),) = receiver.arrived("hook")
    told = Verifier(claims.SECRET).verify(body, headers)
    (notice,) = claim.notices
    assert headers["webhook-id"] == str(claim.request.id)
    assert told == {
        "type": "tocsin.delivery.v1",
        "delivery_id": str(claim.request.id),
        "notification_id": str(notice.id),
        "recipient": "ada",
        "name": "Customer enquiry",
        "description": "Please **answer**",
        "importance": "warning",
        "class": "enquiries",
        "url": "https://crm.example/incident/4172",
        "action_url": "https://crm.example/4172",
        "items": [{"table": "incident", "id": "4172", "url": "https://crm.example/incident/4172"}],
        "created_at": "2026-11-22T10:00:00+00:00",
    }


async def test_text_beyond_ascii_is_signed_as_it_is_sent(sink: WebhookSink, receiver: Receiver) -> None:
    claim = claims.push(f"{receiver.url}/hook/200", notices=(claims.notice(name="Störung 🚨 in Zürich", items=()),))
    await sink.send(claim)
    ((headers, body),) = receiver.arrived("hook")
    Verifier(claims.SECRET).verify(body, headers)
    assert json.loads(body)["name"] == "Störung 🚨 in Zürich"
    assert json.loads(body)["url"] is None


async def test_one_connection_serves_many_sends(sink: WebhookSink, receiver: Receiver) -> None:
    for _ in range(5):
        await sink.send(claims.push(f"{receiver.url}/hook/200"))
    assert len(receiver.connections) == 1


async def test_an_address_that_may_not_be_reached_is_given_up_without_a_connection(sink: WebhookSink) -> None:
    for address in ("https://169.254.169.254/latest", "http://example.com/", "https://user@example.com/"):
        claim = claims.push(address)
        receipt = await sink.send(claim)
        assert (receipt.outcome, receipt.reason) == (FAILED, Reason.DESTINATION_FORBIDDEN)
        assert sink.destination(claim) == "forbidden"


async def test_deliveries_to_one_host_share_a_destination(sink: WebhookSink) -> None:
    names = {sink.destination(claims.push(f"https://hooks.example/{path}")) for path in ("a", "b?c=d")}
    assert names == {"hooks.example:443"}


class Rebinding(AbstractResolver):
    """A name server that says something else each time; what the system's resolver would be asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        self.answers.clear()


FORBIDDEN_ANSWERS = [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fd00:ec2::254"], ["0.0.0.0"]]


@pytest.mark.parametrize("answers", FORBIDDEN_ANSWERS, ids=[",".join(each) for each in FORBIDDEN_ANSWERS])
async def test_a_name_is_refused_when_any_of_its_addresses_is_private(answers: list[str]) -> None:
    resolver = network.CheckedResolver(destinations.policy(""), Rebinding(answers))
    with pytest.raises(ForbiddenDestinationError):
        await resolver.resolve("hooks.example", 443)


async def test_a_name_that_begins_to_mean_another_address_is_given_up(receiver: Receiver) -> None:
    settings = claims.settings(allowed_private_hosts="localhost")
    port = int(receiver.url.rpartition(":")[2])
    resolver = Rebinding(["127.0.0.1"], ["127.0.0.1"])
    async with webhook.open_sink(settings, SystemClock(), resolver) as sink:
        assert (await sink.send(claims.push(f"http://localhost:{port}/hook/200"))).outcome is DELIVERED
        receipt = await sink.send(claims.push("https://rebinding.example/hook"))
    assert (receipt.outcome, receipt.reason) == (FAILED, Reason.DESTINATION_FORBIDDEN)
    assert len(receiver.requests) == 1


async def test_the_checked_address_is_the_one_connected_to(receiver: Receiver) -> None:
    settings = claims.settings(allowed_private_hosts="hooks.example")
    port = int(receiver.url.rpartition(":")[2])
    resolver = Rebinding(["127.0.0.1"], ["203.0.113.9"])
    async with webhook.open_sink(settings, SystemClock(), resolver) as sink:
        for _ in range(3):
            claim = claims.push(f"http://hooks.example:{port}/hook/200")
            assert (await sink.send(claim)).outcome is DELIVERED, "the name is asked once, not once more to connect"


async def test_a_name_nobody_knows_is_tried_again() -> None:
    class Unknown(Rebinding):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port} is not known to {family}")

    async with webhook.open_sink(claims.settings(), SystemClock(), Unknown()) as sink:
        receipt = await sink.send(claims.push("https://no-such-host.example/hook"))
    assert (receipt.outcome, receipt.reason) == (RETRY, Reason.DESTINATION_UNAVAILABLE)


async def test_a_name_server_that_hangs_does_not_hold_other_names(receiver: Receiver) -> None:
    class Hanging(Rebinding):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            if host == "hanging.example":
                await asyncio.Event().wait()
            return await super().resolve(host, port, family)

    settings = claims.settings(allowed_private_hosts="localhost")
    resolver = Hanging(["127.0.0.1"])
    port = int(receiver.url.rpartition(":")[2])
    async with webhook.open_sink(settings, SystemClock(), resolver) as sink:
        hanging = asyncio.create_task(sink.send(claims.push("https://hanging.example/hook")))
        assert (await sink.send(claims.push(f"http://localhost:{port}/hook/200"))).outcome is DELIVERED
        receipt = await hanging
    assert (receipt.outcome, receipt.reason) == (RETRY, Reason.TIMEOUT)
