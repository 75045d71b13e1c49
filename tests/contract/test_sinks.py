"""Every sink keeps the promises of its port, whatever the other side does: one table, run on each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio

from services.dispatcher.delivery.ports import Busy, Claim, Receipt, Sink
from services.dispatcher.sinks import mail, webhook
from shared.clock import SystemClock
from shared.contract.outcomes import AttemptOutcome, Reason
from tests.support import claims, faulty_http, faulty_smtp
from tests.support.service import free_port

DELIVERED, RETRY, FAILED, AMBIGUOUS = AttemptOutcome


@dataclass
class Bench:
    """A sink, claims for it by what the other side will do, and the identities that reached the other side."""

    sink: Sink
    claim: Callable[[str], Claim]
    arrived: Callable[[], list[str]]


@contextlib.asynccontextmanager
async def push() -> AsyncIterator[Bench]:
    async with faulty_http.running() as receiver, webhook.open_sink(claims.settings(), SystemClock()) as sink:
        behaviours = {"taken": "200", "later": "500", "never": "400", "gone": "reset", "hangs": "hang", "slow": "slow"}
        nobody = f"http://127.0.0.1:{free_port()}/nobody"
        yield Bench(
            sink,
            lambda what: claims.push(nobody if what == "nobody" else f"{receiver.url}/hook/{behaviours[what]}"),
            lambda: [headers["webhook-id"] for headers, _ in receiver.arrived("hook")],
        )


@contextlib.asynccontextmanager
async def email() -> AsyncIterator[Bench]:
    async with faulty_smtp.running() as relay:
        settings = claims.settings(smtp_port=relay.port)
        async with mail.open_sink(settings, claims.StoredMails(), SystemClock()) as sink:
            behaviours = {
                "taken": "ada",
                "later": "rcpt-451",
                "never": "rcpt-550",
                "gone": "drop-dot",
                "hangs": "hang-dot",
            }

            def claim(what: str) -> Claim:
                if what == "nobody":
                    relay.greeting = "554 no service"
                return claims.email(f"{behaviours.get(what, 'ada')}@example.test")

            def arrived() -> list[str]:
                return [content.partition(b"Message-ID: <")[2][:36].decode() for _, content in relay.mails]

            yield Bench(sink, claim, arrived)


@pytest_asyncio.fixture(params=[push, email], ids=["push", "email"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with request.param() as opened:
        yield opened


async def outcome(bench: Bench, what: str) -> Receipt:
    receipt = await bench.sink.send(bench.claim(what))
    assert isinstance(receipt, Receipt)
    return receipt


async def test_what_the_other_side_took_is_delivered(bench: Bench) -> None:
    assert (await outcome(bench, "taken")).outcome is DELIVERED
    assert len(bench.arrived()) == 1


async def test_what_the_other_side_cannot_take_now_is_tried_again(bench: Bench) -> None:
    assert await outcome(bench, "later") == Receipt(
        RETRY, Reason.DESTINATION_UNAVAILABLE, (await outcome(bench, "later")).detail
    )


async def test_what_the_other_side_will_never_take_is_given_up(bench: Bench) -> None:
    receipt = await outcome(bench, "never")
    assert (receipt.outcome, receipt.reason, receipt.gone) == (FAILED, Reason.DESTINATION_REFUSED, False)


async def test_nobody_there_means_not_delivered(bench: Bench) -> None:
    receipt = await outcome(bench, "nobody")
    assert (receipt.outcome, receipt.reason) == (RETRY, Reason.DESTINATION_UNAVAILABLE)


async def test_a_connection_lost_after_handing_over_is_ambiguous(bench: Bench) -> None:
    receipt = await outcome(bench, "gone")
    assert (receipt.outcome, receipt.reason) == (AMBIGUOUS, Reason.AMBIGUOUS)
    assert len(bench.arrived()) == 1, "it had arrived: that is what makes it ambiguous"


async def test_an_answer_that_never_comes_is_ambiguous_within_the_bound(bench: Bench) -> None:
    begun = asyncio.get_running_loop().time()
    receipt = await outcome(bench, "hangs")
    assert (receipt.outcome, receipt.reason) == (AMBIGUOUS, Reason.TIMEOUT)
    assert asyncio.get_running_loop().time() - begun < 2.0


async def test_a_repeat_carries_the_same_identity(bench: Bench) -> None:
    claim = bench.claim("gone")
    await bench.sink.send(claim)
    await bench.sink.send(claim)
    assert [UUID(identity) for identity in bench.arrived()] == [claim.request.id] * 2


async def test_what_the_other_side_said_names_no_address(bench: Bench) -> None:
    for what in ("later", "never", "nobody", "gone"):
        assert "@" not in (await outcome(bench, what)).detail


async def test_a_send_that_is_cancelled_leaves_the_sink_fit_for_the_next(bench: Bench) -> None:
    sending = asyncio.create_task(bench.sink.send(bench.claim("hangs")))
    await asyncio.wait([sending], timeout=0.1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await outcome(bench, "taken")).outcome is DELIVERED


async def test_sends_run_side_by_side(bench: Bench) -> None:
    hanging = asyncio.create_task(bench.sink.send(bench.claim("hangs")))
    assert (await outcome(bench, "taken")).outcome is DELIVERED
    assert not hanging.done()
    hanging.cancel()
    await asyncio.wait([hanging])


async def test_no_send_says_busy_of_itself(bench: Bench) -> None:
    assert not isinstance(await bench.sink.send(bench.claim("taken")), Busy)
