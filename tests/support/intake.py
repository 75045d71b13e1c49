"""One lane's intake on real Kafka and PostgreSQL, driven a batch at a time, and what it wrote to either."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.dispatcher.intake import loop
from services.dispatcher.metrics import Metrics
from services.dispatcher.parts import Parts
from services.dispatcher.policy import Rules
from services.dispatcher.settings import Settings
from shared.contract import records, topics
from shared.contract.importance import Lane
from shared.contract.messages import NotificationAccepted
from shared.contract.records import Record
from shared.kafka.consumer import Consumer, open_consumer
from shared.kafka.producer import open_producer
from shared.postgres.pool import Pool, open_pool
from shared.runtime import health
from shared.runtime.settings import KafkaSettings
from shared.runtime.startup import Start
from tests.support import unsubscribing
from tests.support.databases import Database
from tests.support.notifications import TENANT

RULES = Rules(default_window_seconds=900, fanout_threshold=1_000, most_recipients=2_000, poison_limit_per_minute=10)
READ_SECONDS = 10.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Intake of the lane routine, between a topic and a database of one test's own."""

    kafka: KafkaSettings
    database: Database
    pool: Pool
    parts: Parts
    consumer: Consumer
    intake: loop.Intake

    async def send(self, *messages: NotificationAccepted | Record) -> None:
        """Put notifications, or records as they are, on the lane's topic."""
        await self.parts.producer.send_all(
            [message if isinstance(message, Record) else records.accepted(message) for message in messages]
        )

    async def take_in(self, *messages: NotificationAccepted | Record) -> None:
        """Send, then take in whatever comes until so many records were taken in; commits nothing to Kafka."""
        await self.send(*messages)
        waiting = len(messages)
        async with asyncio.timeout(READ_SECONDS):
            while waiting > 0:
                batch = await self.consumer.batch()
                if batch.records:
                    await self.intake.work(batch)
                    waiting -= len(batch.records)

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the owner of the database reads."""
        async with connected(self.database.owner) as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]

    async def written(self, topic: str) -> list[Json]:
        """The values on a topic of the contract by now, decoded; in order within a partition."""
        return [json.loads(value) for value in await everything(self.kafka, topic)]

    def counted(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.parts.metrics.registry.get_sample_value(name, labels) or 0.0


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection for one question."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def opened(kafka: KafkaSettings, database: Database, group: str = "") -> AsyncIterator[Bench]:
    """A bench with what it stands on; another `group` leaves the lane's own to a process."""
    dsn = SecretStr(database.dsn("dispatcher"))
    settings = Settings(
        kafka_bootstrap=kafka.kafka_bootstrap, topic_prefix=kafka.topic_prefix, postgres_dsn=dsn,
        **unsubscribing.SETTINGS,
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings, "test"))
        producer = await stack.enter_async_context(open_producer(kafka))
        consumer = await stack.enter_async_context(
            open_consumer(kafka, group or loop.group(Lane.ROUTINE), [topics.accepted(Lane.ROUTINE)], 500)
        )
        start = Start(settings, asyncio.Event(), stack, health.Health(), CollectorRegistry())
        parts = Parts(settings, "one", Metrics(start.registry), producer, start)
        yield Bench(kafka, database, pool, parts, consumer, loop.Intake(Lane.ROUTINE, pool, parts, RULES))


async def everything(kafka: KafkaSettings, topic: str) -> list[bytes]:
    """The values of every record on a topic by now."""
    reader: Any = AIOKafkaConsumer(bootstrap_servers=kafka.kafka_bootstrap)
    await reader.start()
    try:
        name = kafka.topic(topic)
        partitions = [TopicPartition(name, number) for number in await _partitions(kafka, name)]
        reader.assign(partitions)
        await reader.seek_to_beginning()
        ends = await reader.end_offsets(partitions)
        found: list[bytes] = []
        async with asyncio.timeout(READ_SECONDS):
            for partition, end in ends.items():
                while await reader.position(partition) < end:
                    by_partition = await reader.getmany(partition, timeout_ms=200)
                    found += [record.value for records_ in by_partition.values() for record in records_]
        return found
    finally:
        await reader.stop()


async def _partitions(kafka: KafkaSettings, name: str) -> list[int]:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap)
    await admin.start()
    try:
        [described] = await admin.describe_topics([name])
        return [partition["partition"] for partition in described["partitions"]]
    finally:
        await admin.close()


async def users(database: Database, count: int, tenant: str = TENANT, email: str = "@example.test") -> list[str]:
    """Users `u0…` with an address and one push endpoint each; the tenant is made if it is new."""
    async with connected(database.owner) as connection:
        await connection.execute("INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING", tenant)
        await connection.execute(_USERS, tenant, count, email)
        await connection.execute(_ENDPOINTS, tenant, count)
    return [f"u{number}" for number in range(count)]


_USERS = """
INSERT INTO users (tenant, id, email)
SELECT $1, 'u' || number, 'u' || number || $3 FROM generate_series(0, $2::integer - 1) AS number
"""
_ENDPOINTS = """
INSERT INTO endpoints (tenant, id, recipient, channel, kind, address, secret)
SELECT $1, gen_random_uuid(), 'u' || number, 'push', 'webhook', 'https://hooks.example.test', 's'
FROM generate_series(0, $2::integer - 1) AS number
"""
