"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator

import pytest_asyncio
from pydantic import SecretStr

from shared.kafka.producer import Producer, open_producer
from shared.postgres.pool import Pool, open_pool
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import databases


@pytest_asyncio.fixture
async def owner(database: databases.Database) -> AsyncIterator[Pool]:
    """Connections of the database's owner, who may do and see everything."""
    async with open_pool(PostgresSettings(postgres_dsn=SecretStr(database.owner)), "test") as opened:
        yield opened


@pytest_asyncio.fixture
async def producer(kafka_settings: KafkaSettings) -> AsyncIterator[Producer]:
    """A producer for this test's topics."""
    async with open_producer(kafka_settings) as opened:
        yield opened
