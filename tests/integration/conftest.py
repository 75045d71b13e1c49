"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from shared.kafka.producer import Producer, open_producer
from shared.postgres.pool import Pool, open_pool
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import consoles, databases
from tests.support.consoles import Console, Site


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One console for all tests of a file."""
    async with consoles.running(postgres_server, tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def console(site: Site) -> Console:
    """The console as the admin of a tenant of this test's own."""
    return await consoles.of_new_tenant(site)
