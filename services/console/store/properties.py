"""`properties`: switches of a tenant that count at run time."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from services.console.store import statements
from shared.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a tenant."""

    name: str
    value: Any


_PUT = """
INSERT INTO properties (tenant, name, value) VALUES ($1, $2, $3)
ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value, changed_at = clock_timestamp()
"""


async def put(pool: Pool, tenant: str, made: Property) -> None:
    """Set a property."""
    await statements.run(pool, tenant, _PUT, made.name, made.value)


_GET = "SELECT name, value FROM properties WHERE tenant = $1 AND name = $2"


async def get(pool: Pool, tenant: str, name: str) -> Property | None:
    """The property of a name."""
    row = await statements.row(pool, tenant, _GET, name)
    return None if row is None else _property(row)


_LIST = """
SELECT name, value FROM properties WHERE tenant = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3
"""


async def after(pool: Pool, tenant: str, last: str | None, most: int) -> list[Property]:
    """Properties in the order of their names, behind `last`."""
    return [_property(row) for row in await statements.rows(pool, tenant, _LIST, last, most)]


def _property(row: asyncpg.Record) -> Property:
    return Property(*row.values())
