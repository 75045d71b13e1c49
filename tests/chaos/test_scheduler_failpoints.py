"""A scheduler killed at every step: what was due is produced all the same, and every repeat is the same record."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from deploy.local import kafka
from shared.contract import records, topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.contract.records import Record
from shared.kafka.consumer import Consumer, open_consumer
from shared.kafka.producer import open_producer
from shared.postgres import outbox
from shared.runtime.settings import KafkaSettings
from tests.support import databases, rows, scheduling, service, waiting

STEPS = ["after_store", "before_produce", "after_produce", "before_delete", "before_end"]
WITHIN = 60.0
ACCEPTED, PUSH = topics.accepted(Lane.URGENT), topics.deliveries(Channel.PUSH, Lane.URGENT)
READERS = {ACCEPTED: "dispatcher.intake.urgent", PUSH: "dispatcher.push.urgent", topics.EVENTS: "others"}
"""Who reads each topic: what was released comes again only once they have read on."""


@dataclass
class Stage:
    """The record, and what the scheduler's process is told."""

    owner: asyncpg.Connection
    kafka: KafkaSettings
    settings: Mapping[str, str]


@pytest_asyncio.fixture
async def stage(database: databases.Database, kafka_settings: KafkaSettings) -> AsyncIterator[Stage]:
    owner = await rows.owner(database.owner)
    await rows.tenant(owner)
    settings = {
        "postgres_dsn": database.dsn("scheduler"),
        "kafka_bootstrap": kafka_settings.kafka_bootstrap,
        "topic_prefix": kafka_settings.topic_prefix,
        "session_timeout_seconds": "6",
        "heartbeat_seconds": "1",
        "release_seconds": "1",
        "lease_seconds": "0.5",
    }
    yield Stage(owner, kafka_settings, settings)
    await owner.close()


@pytest.mark.parametrize("step", STEPS)
async def test_a_scheduler_killed_at_a_step_leaves_nothing_unproduced(stage: Stage, step: str) -> None:
    expected = await prepare(stage)
    async with service.running("scheduler", {**stage.settings, "failpoints": f"scheduler.{step}=kill"}) as killed:
        assert await asyncio.to_thread(killed.process.wait, WITHIN) == -9
    await kafka.forget_members(stage.kafka.kafka_bootstrap, stage.kafka.group(""))
    async with service.running("scheduler", stage.settings) as restarted:
        seen: list[tuple[str, bytes]] = []
        async with AsyncExitStack() as stack:
            readers = [
                await stack.enter_async_context(open_consumer(stage.kafka, group, [topic], 1_000))
                for topic, group in READERS.items()
            ]
            await waiting.until(lambda: all_there(readers, seen, expected), WITHIN, "all that was due")
        await waiting.until(lambda: tidied(stage), WITHIN, "the outbox and the leases to be done with")
        assert await restarted.stop() == 0
    assert await stage.owner.fetchval("SELECT count(*) FROM schedules") == 1
    assert await stage.owner.fetchval("SELECT count(*) FROM attempts") == 1


async def prepare(stage: Stage) -> set[tuple[str, bytes]]:
    """A due schedule on its topic, a due retry, a run-out lease and an old outbox row; what must come of them."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    scheduled = scheduling.later(timedelta(seconds=-1))
    async with open_producer(stage.kafka) as producer:
        await producer.send(records.scheduled(scheduled))
    notification = await rows.notification(stage.owner)
    due = await rows.delivery(stage.owner, notification, due_at=past)
    lost = await rows.delivery(
        stage.owner, notification, state="leased", attempt=1, lease_until=past, lease_owner="a", due_at=None
    )
    event = Record(topics.EVENTS, b"k", b'{"about": "an old row"}')
    values = {"created_at": past - timedelta(seconds=60), "records": outbox.packed([event])}
    await rows.insert(stage.owner, "outbox", values)
    return {
        (ACCEPTED, str(scheduled.notification.notification_id).encode()),
        (PUSH, str(due["id"]).encode()),
        (PUSH, str(lost["id"]).encode()),
        (topics.EVENTS, b"an old row"),
    }


async def all_there(
    readers: Sequence[Consumer], seen: list[tuple[str, bytes]], expected: set[tuple[str, bytes]]
) -> bool:
    """Whether every topic has shown what must be in one of its records."""
    for reader in readers:
        batch = await reader.batch(0.1)
        for record in batch.records:
            found = ((topic, text) for topic, text in expected if record.topic.endswith(topic))
            seen.extend((topic, text) for topic, text in found if text in record.value)
        if batch.positions:
            await reader.commit(batch.positions)
    return set(seen) == expected


async def tidied(stage: Stage) -> bool:
    """Whether no outbox row and no run-out lease is left."""
    left = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM deliveries WHERE state = 'leased')"
    return not await stage.owner.fetchval(left)
