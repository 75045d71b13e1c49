"""What every other test stands on: servers of the run, a database and topics of one's own."""

import aiokafka
import asyncpg

from shared.contract.topics import TOPICS
from shared.runtime.settings import KafkaSettings
from tests.support import databases, waiting


async def test_each_test_gets_a_migrated_database_of_its_own(
    database: databases.Database, postgres_server: str
) -> None:
    connection = await asyncpg.connect(database.owner)
    assert await connection.fetchval("SELECT current_database()") == database.name
    assert await connection.fetchval("SELECT max(number) FROM schema_migrations") > 0
    await connection.close()
    async with databases.cloned(postgres_server) as other:
        assert other.name != database.name


async def test_each_service_connects_as_a_role_that_owns_nothing(database: databases.Database) -> None:
    connection = await asyncpg.connect(database.dsn("ingest"))
    assert await connection.fetchval("SELECT current_user") == "tocsin_ingest"
    owned = "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
    assert await connection.fetchval(owned) == 0
    await connection.close()


async def test_each_test_gets_the_topics_of_the_contract_below_its_prefix(kafka_settings: KafkaSettings) -> None:
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=kafka_settings.kafka_bootstrap)
    await consumer.start()

    async def all_there() -> bool:
        present: set[str] = await consumer.topics()
        return {kafka_settings.topic(topic.name) for topic in TOPICS} <= present

    try:  # the broker acknowledges a topic before its metadata names it
        await waiting.until(all_there, 20, "every topic of the contract below the prefix")
    finally:
        await consumer.stop()
