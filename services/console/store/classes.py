"""`classes`: what a tenant says of its communication classes."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from services.console.store import statements
from shared.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class CommunicationClass:
    """A communication class: options that a notification's own extend and override (C10)."""

    key: str
    name: str
    options: dict[str, Any]


_PUT = """
INSERT INTO classes (tenant, key, name, options) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, key) DO UPDATE SET name = excluded.name, options = excluded.options,
  changed_at = clock_timestamp()
"""


async def put(pool: Pool, tenant: str, made: CommunicationClass) -> None:
    """Make a class, or replace the one there is."""
    await statements.run(pool, tenant, _PUT, made.key, made.name, made.options)


_GET = "SELECT key, name, options FROM classes WHERE tenant = $1 AND key = $2"


async def get(pool: Pool, tenant: str, key: str) -> CommunicationClass | None:
    """The class of a key."""
    row = await statements.row(pool, tenant, _GET, key)
    return None if row is None else _class(row)


_LIST = """
SELECT key, name, options FROM classes WHERE tenant = $1 AND ($2::text IS NULL OR key > $2) ORDER BY key LIMIT $3
"""


async def after(pool: Pool, tenant: str, last: str | None, most: int) -> list[CommunicationClass]:
    """Classes in the order of their keys, behind `last`."""
    return [_class(row) for row in await statements.rows(pool, tenant, _LIST, last, most)]


def _class(row: asyncpg.Record) -> CommunicationClass:
    return CommunicationClass(*row.values())
