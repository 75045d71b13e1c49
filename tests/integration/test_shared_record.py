"""What several services write in the same way: positions, dead letters, and how far a group has read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from pydantic import SecretStr

from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.kafka import lag
from shared.kafka.consumer import open_consumer
from shared.kafka.producer import open_producer
from shared.postgres import bodies, dead_letters, positions
from shared.postgres.pool import Pool, open_pool, transaction
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import databases

POISON = Record("notifications.scheduled", b"k", b"{not json", [("tenant", b"\xff")])


@pytest_asyncio.fixture
async def pool(database: databases.Database) -> AsyncIterator[Pool]:
    settings = PostgresSettings(postgres_dsn=SecretStr(database.dsn("scheduler")))
    async with open_pool(settings, "test") as opened:
        yield opened


async def test_positions_are_written_again_as_a_group_reads_on(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await positions.write(connection, "scheduler", [("notifications.scheduled", 0, 5), ("other", 1, 7)])
        await positions.write(connection, "scheduler", [("notifications.scheduled", 0, 6)])
    rows = await pool.fetch('SELECT topic, partition, "offset" FROM positions ORDER BY topic')
    assert [tuple(row) for row in rows] == [("notifications.scheduled", 0, 6), ("other", 1, 7)]


async def test_a_poisoned_record_is_buried_once_with_its_bytes_and_origin(pool: Pool) -> None:
    letter = dead_letters.of_record(POISON, (2, 41), "", Reason.UNDECODABLE, "not JSON")
    for _ in range(2):
        async with transaction(pool) as connection:
            await dead_letters.bury(connection, [letter])
    [row] = await pool.fetch("SELECT * FROM dead_letters")
    assert (row["topic"], row["partition"], row["offset"], row["reason"]) == (POISON.topic, 2, 41, "undecodable")
    assert (row["key"], row["original"]) == (b"k", b"{not json")
    assert row["headers"] == [["tenant", "/w=="]]
    assert row["expires_on"] == (datetime.now(UTC) + timedelta(days=dead_letters.KEPT_DAYS)).date()
    headers = dict(letter.record().headers)
    assert (headers["origin-offset"], headers["reason"]) == (b"41", b"undecodable")


async def test_the_original_of_a_large_dead_letter_stands_in_bodies(pool: Pool) -> None:
    large = Record(POISON.topic, None, b"x" * (bodies.LARGEST_INLINE_BYTES + 1))
    letter = dead_letters.of_record(large, (0, 0), "", Reason.UNDECODABLE, "not JSON")
    async with transaction(pool) as connection:
        await dead_letters.bury(connection, [letter])
    [row] = await pool.fetch("SELECT original, original_ref FROM dead_letters")
    assert row["original"] is None
    assert await pool.fetchval("SELECT content FROM bodies WHERE hash = $1", row["original_ref"]) == large.value
    assert letter.record().value is None


async def test_a_groups_lag_counts_what_it_has_not_committed(kafka_settings: KafkaSettings) -> None:
    topic = "deliveries.push.urgent"
    async with (
        open_producer(kafka_settings) as producer,
        lag.open_lag_reader(kafka_settings) as reader,
        open_consumer(kafka_settings, "dispatcher.push.urgent", [topic], 10) as consumer,
    ):
        assert await reader.of("dispatcher.push.urgent", [topic]) == 0
        await producer.send_all([Record(topic, b"a", b"1"), Record(topic, b"a", b"2")])
        assert await reader.of("dispatcher.push.urgent", [topic]) == 2
        batch = await consumer.batch(10)
        await consumer.commit(batch.positions)
        assert await reader.of("dispatcher.push.urgent", [topic]) == 2 - len(batch.records)
