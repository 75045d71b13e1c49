"""What a crash, a lost connection or a race leaves of a digest: the mail once and complete, and nothing half-done."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.digest.flush import Flush
from services.digest.metrics import Metrics
from services.digest.timers import Timers
from shared.clock import SystemClock
from shared.kafka.producer import Producer
from shared.postgres import outbox
from shared.postgres.pool import Pool, open_pool
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import databases, mailing, service, waiting
from tests.support.mailing import Taken

WITHIN_SECONDS = 40


@pytest.fixture
def settings(database: databases.Database, kafka_settings: KafkaSettings) -> dict[str, str]:
    return {
        "postgres_dsn": database.dsn("digest"),
        "kafka_bootstrap": kafka_settings.kafka_bootstrap,
        "topic_prefix": kafka_settings.topic_prefix,
        "overdue_seconds": "0.5",
        "overdue_poll_seconds": "0.2",
    }


@pytest_asyncio.fixture
async def flush(database: databases.Database, producer: Producer) -> AsyncIterator[Flush]:
    found = PostgresSettings(postgres_dsn=SecretStr(database.dsn("digest")))
    async with open_pool(found, "tocsin-digest") as pool:
        yield Flush(pool, producer, Metrics(CollectorRegistry()))


@pytest_asyncio.fixture(autouse=True)
async def _directory(owner: Pool) -> None:
    await mailing.directory(owner, {"ada": "ada@a.example"})


async def _ended(running: service.Service) -> int:
    async def code() -> tuple[int] | None:
        found = running.process.poll()
        return None if found is None else (found,)

    return (await waiting.until(code, WITHIN_SECONDS, "the service to end"))[0]


async def _all_sent(owner: Pool, count: int) -> None:
    async def so() -> bool:
        sent: int = await owner.fetchval("SELECT count(*) FROM inbox_items WHERE digest_id IS NOT NULL")
        return sent == count

    await waiting.until(so, WITHIN_SECONDS, f"{count} items in digests")


@pytest.mark.parametrize("place", ["digest.before_commit", "digest.after_commit", "digest.after_produce"])
async def test_killed_while_it_flushes_the_mail_is_there_once_and_so_are_its_events(
    owner: Pool, settings: dict[str, str], place: str
) -> None:
    members = {await mailing.take_in(owner, None, Taken(window_seconds=0)) for _ in range(2)}
    async with service.running("digest", settings | {"failpoints": f"{place}=kill"}) as running:
        assert await _ended(running) == -signal.SIGKILL
    async with service.running("digest", settings) as running:
        await running.until("/readyz", 200)
        await _all_sent(owner, 2)
        assert await running.stop() == 0

    [digest] = await owner.fetch("SELECT id, member_count FROM digests")
    [delivery] = await owner.fetch("SELECT subject_id, state, due_at <= db_now() AS is_due FROM deliveries")
    rows = await owner.fetch("SELECT notification_id FROM inbox_items WHERE digest_id = $1", digest["id"])
    assert ({row["notification_id"] for row in rows}, digest["member_count"]) == (members, 2)
    assert tuple(delivery) == (digest["id"], "retry", True)
    # What was not produced is left where the scheduler finds it: the delivery is due, the events are in the outbox.
    left = [] if place == "digest.before_commit" else [2]
    stored = await owner.fetch("SELECT records FROM outbox")
    assert [len(outbox.records_of(row["records"])) for row in stored] == left


async def test_what_fails_in_a_timer_ends_the_process_with_1_and_leaves_the_window_to_the_next(
    owner: Pool, producer: Producer, settings: dict[str, str]
) -> None:
    timers_only = settings | {"overdue_seconds": "600"}
    async with service.running("digest", timers_only | {"failpoints": "digest.before_commit=raise"}) as running:
        await mailing.take_in(owner, producer, Taken(window_seconds=1))
        assert await _ended(running) == 1
    assert await owner.fetchval("SELECT count(*) FROM windows") == 1

    async with service.running("digest", timers_only):
        await _all_sent(owner, 1)


async def test_connections_that_are_cut_off_cost_nothing(
    owner: Pool, producer: Producer, settings: dict[str, str]
) -> None:
    async with service.running("digest", settings) as running:
        await running.until("/readyz", 200)
        for _ in range(10):
            await mailing.take_in(owner, producer, Taken(window_seconds=0.1))
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tocsin-digest' AND datname = current_database()"
            )
        await _all_sent(owner, 10)
        assert running.process.poll() is None

    assert await owner.fetchval("SELECT sum(member_count) FROM digests") == 10


async def test_items_that_arrive_while_windows_close_are_each_in_exactly_one_digest(owner: Pool, flush: Flush) -> None:
    taking = [asyncio.create_task(_take_in_many(owner, 40)) for _ in range(4)]
    while not all(task.done() for task in taking):
        await asyncio.gather(*(flush.overdue(0, 2) for _ in range(3)))
    await asyncio.gather(*taking)
    while await owner.fetchval("SELECT count(*) FROM windows"):
        await flush.overdue(0, 10)

    unsent = await owner.fetchval("SELECT count(*) FROM inbox_items WHERE digest_id IS NULL")
    told = await owner.fetch(_TOLD)
    assert unsent == 0
    assert sum(row["member_count"] for row in told) == 160
    assert all(row["member_count"] == row["count"] > 0 for row in told)
    assert await owner.fetchval("SELECT count(*) FROM deliveries") == len(told)


_TOLD = """
SELECT d.id, d.member_count, count(i.*) FROM digests d LEFT JOIN inbox_items i ON i.digest_id = d.id
GROUP BY d.id, d.member_count
"""


async def test_a_timer_that_rings_during_a_flush_does_not_wait_for_it(flush: Flush) -> None:
    timers = Timers(flush, SystemClock(), most=10)
    async with timers.resting(), asyncio.timeout(5):
        assert await timers.ring() == []


async def _take_in_many(owner: Pool, count: int) -> None:
    for _ in range(count):
        await mailing.take_in(owner, None, Taken(window_seconds=0))
