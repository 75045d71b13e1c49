"""The scheduler's parts on real Kafka and PostgreSQL, shared by all tests of a module."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.scheduler.consumption import Consumption
from services.scheduler.leases import Leases
from services.scheduler.metrics import Metrics
from services.scheduler.planning import Planning
from services.scheduler.release import Release
from services.scheduler.settings import Settings
from shared.contract import ids, messages, topics
from shared.contract.importance import Importance, Lane
from shared.contract.outcomes import Channel, Door
from shared.contract.records import Record
from shared.kafka.consumer import open_consumer
from shared.kafka.lag import LagReader, open_lag_reader
from shared.kafka.producer import Producer, open_producer
from shared.postgres.pool import Pool, open_pool
from tests.support import databases, rows
from tests.support import topics as test_topics

PUSH_URGENT = topics.deliveries(Channel.PUSH, Lane.URGENT)

EMPTIED = ("schedules", "deliveries", "attempts", "notifications", "inbox_items", "dead_letters", "outbox", "bodies",
           "importances", "positions")  # fmt: skip

Ends = dict[TopicPartition, int]


@dataclass
class House:
    """What all tests of the module share: each begins with empty tables and looks only at what it produced."""

    pool: Pool
    producer: Producer
    lag: LagReader
    owner: asyncpg.Connection
    settings: Settings


@dataclass
class Stage(House):
    """The house in one test, with metrics of its own; `begun` is where each partition ended before."""

    registry: CollectorRegistry
    metrics: Metrics
    begun: dict[TopicPartition, int]

    def release(self) -> Release:
        return Release(self.pool, self.producer, Consumption(self.lag), self.metrics, self.settings)

    def leases(self, **changed: Any) -> Leases:
        return Leases(self.pool, self.metrics, self.settings.model_copy(update={"lease_seconds": 1e-6, **changed}))

    async def produced(self, topic: str) -> list[bytes]:
        """All values that this test has put on a topic, acknowledged as they are."""
        name = self.settings.topic(topic)
        async with reading(self.settings) as client:
            partitions = [partition for partition in self.begun if partition.topic == name]
            client.assign(partitions)
            for partition in partitions:
                client.seek(partition, self.begun[partition])
            ends = await client.end_offsets(partitions)
            seen: list[bytes] = []
            async with asyncio.timeout(30):
                while [each for each in partitions if await client.position(each) < ends[each]]:
                    fetched = await client.getmany(timeout_ms=200)
                    seen += [record.value for records in fetched.values() for record in records]
            return seen

    def begun_of(self, topic: str) -> Ends:
        return {each: offset for each, offset in self.begun.items() if each.topic == self.settings.topic(topic)}

    async def all_claimed(self) -> None:
        """Commit for every sink that it has read its topics to their ends."""
        for channel in (Channel.PUSH, Channel.EMAIL):
            for lane in Lane:
                await self.consumed(f"dispatcher.{channel}.{lane}", topics.deliveries(channel, lane))

    async def consumed(self, group: str, topic: str, ends: Ends | None = None) -> Ends:
        """Commit for a group that it has read a topic so far, or to its ends; returns where it ended before."""
        async with reading(self.settings, self.settings.group(group)) as client:
            partitions = [partition for partition in self.begun if partition.topic == self.settings.topic(topic)]
            client.assign(partitions)
            found: Ends = await client.end_offsets(partitions)
            await client.commit(ends or found)
            return found


@asynccontextmanager
async def reading(settings: Settings, group: str | None = None) -> AsyncIterator[Any]:
    client = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, group_id=group, enable_auto_commit=False)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def opened(postgres_server: str, kafka_bootstrap: str) -> AsyncIterator[House]:
    """The house of one module: a database and topics of its own."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(databases.cloned(postgres_server))
        prefix = await stack.enter_async_context(test_topics.prefixed(kafka_bootstrap))
        settings = Settings(
            postgres_dsn=SecretStr(database.dsn("scheduler")), kafka_bootstrap=kafka_bootstrap, topic_prefix=prefix
        )
        await test_topics.create(settings)
        pool = await stack.enter_async_context(open_pool(settings, "test"))
        producer = await stack.enter_async_context(open_producer(settings))
        lag = await stack.enter_async_context(open_lag_reader(settings))
        owner = await rows.owner(database.owner)
        stack.push_async_callback(owner.close)
        await rows.tenant(owner)
        yield House(pool, producer, lag, owner, settings)


async def staged(house: House) -> Stage:
    """The house for one test: empty tables, and topics looked at from where they end now."""
    for table in EMPTIED:
        await house.owner.execute(f"DELETE FROM {table}")  # noqa: S608
    async with reading(house.settings) as client:
        partitions = [
            TopicPartition(house.settings.topic(topic.name), number)
            for topic in topics.TOPICS
            for number in range(min(topic.partitions, test_topics.PARTITIONS))
        ]
        client.assign(partitions)  # makes known all their topics at once; asking learns of one after the other
        begun = await client.end_offsets(partitions)
    registry = CollectorRegistry()
    shared = (house.pool, house.producer, house.lag, house.owner, house.settings)
    return Stage(*shared, registry, Metrics(registry), begun)


def later(due_in: timedelta, **changed: Any) -> messages.NotificationScheduled:
    """A notification scheduled for then."""
    now = datetime.now(UTC)
    notification = messages.NotificationAccepted(
        id=ids.fresh(), at=now, tenant=rows.TENANT, notification_id=uuid.uuid4(), source="test", name="Later",
        description="…", recipients=("ada",), importance=Importance.DANGER, class_key="general",
        channels=tuple(Channel), lane=Lane.URGENT, door=Door.HTTP, owner="key", accepted_at=now,
    )  # fmt: skip
    standard: dict[str, Any] = {
        "id": ids.fresh(), "at": now, "tenant": rows.TENANT, "schedule_id": 7, "due_at": now + due_in,
        "local": "2026-12-01T09:00:00", "timezone": "Australia/Sydney", "notification": notification,
    }  # fmt: skip
    return messages.NotificationScheduled.model_validate({**standard, **changed})


async def plan(stage: Stage, *sent: Record) -> None:
    """Produce records and let the scheduler store them, twice, as after a crash before the offset's commit."""
    await stage.producer.send_all(sent)
    planning = Planning(stage.pool, stage.producer, stage.metrics)
    async with open_consumer(stage.settings, "scheduler", [topics.SCHEDULED], 100) as consumer:
        seen = 0
        async with asyncio.timeout(30):
            while seen < len(sent):
                batch = await consumer.batch()
                seen += len(batch.records)
                if batch.records:
                    await planning.store(batch)
                    await planning.store(batch)
                    await consumer.commit(batch.positions)
