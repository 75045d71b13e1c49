"""Fan-out: very many recipients a stretch at a time, in turns, resumed where a crash left them."""

import asyncio
import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.dispatcher.fanout.backlog import Backlog
from services.dispatcher.fanout.loop import Spreading
from shared.contract import topics
from shared.contract.importance import Importance, Lane
from shared.contract.outcomes import Channel
from shared.kafka.lag import open_lag_reader
from shared.runtime.settings import KafkaSettings
from tests.support import intake, roles, waiting
from tests.support.databases import Database
from tests.support.notifications import accepted

PUSH = topics.deliveries(Channel.PUSH, Lane.BULK)


@pytest_asyncio.fixture
async def bench(kafka_settings: KafkaSettings, database: Database) -> AsyncIterator[intake.Bench]:
    async with intake.opened(kafka_settings, database) as opened:
        yield opened


@contextlib.asynccontextmanager
async def spreading(
    bench: intake.Bench, instance: str = "one", most_waiting: int = 100_000
) -> AsyncIterator[Spreading]:
    """A worker of the lane bulk that takes its turns when told."""
    async with open_lag_reader(bench.kafka) as reader:
        parts = dataclasses.replace(bench.parts, instance=instance)
        yield Spreading(Lane.BULK, bench.pool, Backlog(reader, Lane.BULK, most_waiting), parts)


async def until_ended(worker: Spreading, bench: intake.Bench) -> None:
    async with asyncio.timeout(60):
        while await bench.rows("SELECT 1 FROM fanouts WHERE ended_at IS NULL"):
            assert await worker.turn()


async def progress(bench: intake.Bench) -> list[tuple[int, int]]:
    found = await bench.rows("SELECT cursor, handed_over FROM fanouts ORDER BY created_at, notification_id")
    return [(cursor, handed_over) for cursor, handed_over in found]


async def pushed(bench: intake.Bench) -> Counter[str]:
    return Counter(one["recipient"] for one in await bench.written(PUSH))


async def test_every_recipient_gets_rows_and_deliveries_once(bench: intake.Bench) -> None:
    recipients = await intake.users(bench.database, 1_100)
    await bench.take_in(accepted(*recipients, "nobody"))
    async with spreading(bench) as worker:
        await until_ended(worker, bench)
        assert not await worker.turn()
    assert await progress(bench) == [(1_101, 1_101)]
    assert await pushed(bench) == Counter(recipients)
    assert await bench.rows("SELECT count(*), count(DISTINCT recipient) FROM inbox_items") == [(1_101, 1_101)]
    assert set(await bench.rows("SELECT recipient, state, reason, lane FROM deliveries")) == {
        ("nobody", "skipped", "unknown_recipient", "bulk")
    }
    assert len(await bench.written(topics.DIGEST_WINDOWS)) == 1_100
    told = await bench.rows("SELECT event, detail FROM timeline WHERE event = 'fan_out_ended'")
    assert [json.loads(detail) for _, detail in told] == [{"written": 1_101, "recipients": 1_101}]


@pytest.mark.parametrize("step", ["after_commit", "after_produce"])
async def test_a_killed_worker_is_resumed_where_it_was(bench: intake.Bench, step: str) -> None:
    recipients = await intake.users(bench.database, 3_000)
    await bench.take_in(accepted(*recipients))
    async with spreading(bench, "other") as worker:
        await worker.turn()
    await roles.killed(bench, "fanout", f"dispatcher.fanout.{step}")
    assert await progress(bench) == [(1_000, 500)]

    async with roles.running(bench, "fanout"):
        await waiting.until(lambda: bench.rows("SELECT 1 FROM fanouts WHERE ended_at IS NOT NULL"), 60, "the end")
    counts = await pushed(bench)
    assert set(counts) == set(recipients)
    repeated = sum(count - 1 for count in counts.values())
    assert repeated == (0 if step == "after_commit" else 500)
    assert len({one["id"] for one in await bench.written(PUSH)}) == 3_000
    assert await bench.rows("SELECT count(*) FROM inbox_items") == [(3_000,)]


async def test_the_blasts_of_two_tenants_take_turns(bench: intake.Bench) -> None:
    recipients = await intake.users(bench.database, 1_500)
    await intake.users(bench.database, 1_500, "other")
    big, second, other = accepted(*recipients), accepted(*recipients), accepted(*recipients, tenant="other")
    await bench.take_in(big)
    await bench.take_in(second)
    await bench.take_in(other)
    turns = []
    async with spreading(bench) as worker:
        before = await progress(bench)
        for _ in range(6):
            assert await worker.turn()
            after = await progress(bench)
            turns.append(next(index for index in range(3) if before[index] != after[index]))
            before = after
        await until_ended(worker, bench)
    # A tenant with two blasts has no more turns than one with a single one.
    assert turns == [0, 2, 0, 2, 0, 2]
    assert await progress(bench) == [(1_500, 1_500)] * 3


async def test_a_paused_tenant_is_left_out_until_it_is_resumed(bench: intake.Bench) -> None:
    await bench.take_in(accepted(*await intake.users(bench.database, 1_001)))
    await bench.rows("UPDATE tenants SET state = 'paused'")
    async with spreading(bench) as worker:
        assert not await worker.turn()
        await bench.rows("UPDATE tenants SET state = 'active'")
        assert await worker.turn()


async def test_fan_out_holds_back_while_the_sinks_have_enough_before_them(bench: intake.Bench) -> None:
    await bench.take_in(accepted(*await intake.users(bench.database, 1_500), options={"email": "none"}))
    async with spreading(bench, most_waiting=800) as worker:
        assert await worker.turn()
        assert await worker.turn()
        assert not await worker.turn()
    assert await progress(bench) == [(1_000, 1_000)]


@pytest.mark.parametrize("change", ["cancelled_at = now()", "expires_at = now()"], ids=["cancelled", "expired"])
async def test_a_blast_that_is_cancelled_or_expires_reaches_nobody_more_and_tells_each_of_them(
    bench: intake.Bench, change: str
) -> None:
    """It ended where it was, and of those behind nobody heard anything."""
    recipients = await intake.users(bench.database, 1_101)
    await bench.take_in(accepted(*recipients))
    async with spreading(bench) as worker:
        assert await worker.turn()
        await bench.rows(f"UPDATE notifications SET {change}")  # noqa: S608 - one of two constants
        await until_ended(worker, bench)
    assert await unreached(bench) == dict.fromkeys(
        recipients[500:], change.partition("_")[0].replace("expires", "expired")
    )
    assert await pushed(bench) == Counter(recipients[:500])
    assert await bench.rows("SELECT count(*) FROM inbox_items") == [(500,)]
    told = await bench.rows("SELECT detail FROM timeline WHERE event = 'fan_out_ended'")
    assert [json.loads(detail) for (detail,) in told] == [{"written": 500, "recipients": 1_101}]


async def unreached(bench: intake.Bench) -> dict[str, str]:
    """Whom a notification went no further to, and why, as others are told; each under an id of its own."""
    events = [event for event in await bench.written(topics.EVENTS) if "skipped" in event["type"]]
    reasons = {event["data"]["recipient"]: event["data"]["reason"] for event in events}
    assert len(reasons) == len({event["id"] for event in events})
    return reasons


@pytest.mark.parametrize("step", ["after_commit", "after_produce"])
async def test_killed_while_it_tells_whom_it_does_not_reach_it_goes_on_and_leaves_nobody_out(
    bench: intake.Bench, step: str
) -> None:
    recipients = await intake.users(bench.database, 2_200)
    await bench.take_in(accepted(*recipients))
    async with spreading(bench, "other") as worker:
        await worker.turn()
    await roles.killed(bench, "fanout", "dispatcher.fanout.after_commit")
    await bench.rows("UPDATE notifications SET expires_at = now()")
    await bench.rows("UPDATE fanouts SET lease_until = now()")
    async with spreading(bench, "other") as worker:
        assert await worker.turn(), "what was written and not handed over is retention's to tell"
        assert await worker.turn()
    await roles.killed(bench, "fanout", f"dispatcher.fanout.{step}")
    async with roles.running(bench, "fanout"):
        await waiting.until(lambda: bench.rows("SELECT 1 FROM fanouts WHERE ended_at IS NOT NULL"), 60, "the end")
    assert await unreached(bench) == dict.fromkeys(recipients[1_000:], "expired")


async def test_a_blast_whose_day_is_over_is_told_although_its_tenant_is_paused_and_its_record_gone(
    bench: intake.Bench,
) -> None:
    recipients = await intake.users(bench.database, 1_101)
    await bench.take_in(accepted(*recipients))
    async with spreading(bench) as worker:
        assert await worker.turn()
        await bench.rows("UPDATE tenants SET state = 'paused'")
        assert not await worker.turn()
        for table in ("notifications", "inbox_items", "timeline"):
            await bench.rows(f"DELETE FROM {table}")  # noqa: S608 - names from here
        await until_ended(worker, bench)
    assert await unreached(bench) == dict.fromkeys(recipients[500:], "expired")


async def test_a_worker_that_lost_its_lease_writes_nothing(bench: intake.Bench) -> None:
    await bench.take_in(accepted(*await intake.users(bench.database, 1_001), importance=Importance.INFO))
    async with spreading(bench, "sleeper") as sleeper, spreading(bench, "taker") as taker:
        leased = await sleeper.leased()
        assert leased is not None
        await bench.rows("UPDATE fanouts SET lease_until = now() - interval '1 second'")
        assert await taker.turn()
        assert await sleeper.spread(leased) is False
        await until_ended(taker, bench)
    assert await pushed(bench) == Counter(f"u{number}" for number in range(1_001))
