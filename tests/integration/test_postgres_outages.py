"""What becomes of a transaction whose server does not answer any more."""

import asyncio

import pytest
from pydantic import SecretStr

from shared.errors import TransientError
from shared.postgres.pool import Pool, open_pool, transaction
from shared.runtime.settings import PostgresSettings
from tests.support import databases, proxy
from tests.support.proxy import Proxy

SOON_SECONDS = 20
"""Far less than what the statements may take each."""


async def swallowed(pool: Pool, between: Proxy, last: str) -> None:
    """A transaction whose last statement reaches nobody."""
    async with transaction(pool, within_seconds=0.5) as connection:
        await connection.execute("SELECT 1")
        between.swallows = True
        if last != "COMMIT":
            await connection.execute(last)


@pytest.mark.parametrize("last", ["SELECT 1", "COMMIT"])
async def test_a_transaction_ends_in_time_although_its_packets_are_swallowed(
    database: databases.Database, last: str
) -> None:
    async with proxy.before(database.dsn("scheduler")) as between:
        settings = PostgresSettings(
            postgres_dsn=SecretStr(between.dsn(database.dsn("scheduler"))), postgres_timeout_seconds=300
        )
        async with open_pool(settings, "test") as pool:
            with pytest.raises(TransientError):
                await asyncio.wait_for(swallowed(pool, between, last), SOON_SECONDS)
            between.swallows = False
            async with transaction(pool) as connection:
                assert await connection.fetchval("SELECT 1") == 1


async def test_a_transaction_may_be_left_to_the_bounds_of_its_statements(database: databases.Database) -> None:
    settings = PostgresSettings(postgres_dsn=SecretStr(database.dsn("scheduler")))
    async with open_pool(settings, "test") as pool, transaction(pool, within_seconds=None) as connection:
        assert await connection.fetchval("SELECT 1") == 1
