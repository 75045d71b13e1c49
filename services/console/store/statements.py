"""One statement for one tenant: in a transaction that row-level security confines to it, the tenant as its `$1`.

All raise TransientError while PostgreSQL is away.
"""

from typing import Any

import asyncpg

from shared.postgres.pool import Pool, tenant_transaction


async def rows(pool: Pool, tenant: str, statement: str, *values: Any) -> list[asyncpg.Record]:
    """Every row that a statement returns; `values` are its `$2` and following."""
    async with tenant_transaction(pool, tenant) as connection:
        return await connection.fetch(statement, tenant, *values)


async def row(pool: Pool, tenant: str, statement: str, *values: Any) -> asyncpg.Record | None:
    """The first row that a statement returns, None where there is none."""
    async with tenant_transaction(pool, tenant) as connection:
        return await connection.fetchrow(statement, tenant, *values)


async def run(pool: Pool, tenant: str, statement: str, *values: Any) -> None:
    """Run a statement that returns nothing."""
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(statement, tenant, *values)
