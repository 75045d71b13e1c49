"""`classes`, `importances`, `properties`: what a tenant configures."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.contract.importance import ImportanceOptions
from shared.postgres.pool import Pool, tenant_transaction


@dataclass(frozen=True, slots=True)
class CommunicationClass:
    """A communication class: options that a notification's own extend and override (C10)."""

    key: str
    name: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a tenant."""

    name: str
    value: Any


_PUT_CLASS = """
INSERT INTO classes (tenant, key, name, options) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, key) DO UPDATE SET name = excluded.name, options = excluded.options,
  changed_at = clock_timestamp()
"""


async def put_class(pool: Pool, tenant: str, made: CommunicationClass) -> None:
    """Make a class, or replace the one there is."""
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(_PUT_CLASS, tenant, made.key, made.name, made.options)


_GET_CLASS = "SELECT key, name, options FROM classes WHERE tenant = $1 AND key = $2"


async def get_class(pool: Pool, tenant: str, key: str) -> CommunicationClass | None:
    """The class of a key."""
    async with tenant_transaction(pool, tenant) as connection:
        row = await connection.fetchrow(_GET_CLASS, tenant, key)
    return None if row is None else _class(row)


_LIST_CLASSES = """
SELECT key, name, options FROM classes WHERE tenant = $1 AND ($2::text IS NULL OR key > $2) ORDER BY key LIMIT $3
"""


async def classes_after(pool: Pool, tenant: str, last: str | None, most: int) -> list[CommunicationClass]:
    """Classes in the order of their keys, behind `last`."""
    async with tenant_transaction(pool, tenant) as connection:
        return [_class(row) for row in await connection.fetch(_LIST_CLASSES, tenant, last, most)]


def _class(row: asyncpg.Record) -> CommunicationClass:
    return CommunicationClass(*row.values())


_PUT_IMPORTANCE = """
INSERT INTO importances (tenant, name, retention, css_class, sort, send) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, name) DO UPDATE SET retention = excluded.retention, css_class = excluded.css_class,
  sort = excluded.sort, send = excluded.send, changed_at = clock_timestamp()
"""


async def put_importance(pool: Pool, tenant: str, name: str, options: ImportanceOptions) -> None:
    """Override the standard options of an importance."""
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(
            _PUT_IMPORTANCE, tenant, name, options.retention, options.css_class, options.sort, options.send
        )


_IMPORTANCES = "SELECT name, retention, css_class, sort, send FROM importances WHERE tenant = $1"


async def importances(pool: Pool, tenant: str) -> dict[str, ImportanceOptions]:
    """What a tenant overrides, by the importance's name."""
    async with tenant_transaction(pool, tenant) as connection:
        rows = await connection.fetch(_IMPORTANCES, tenant)
    return {
        row["name"]: ImportanceOptions(row["retention"], row["css_class"], row["sort"], row["send"]) for row in rows
    }


_PUT_PROPERTY = """
INSERT INTO properties (tenant, name, value) VALUES ($1, $2, $3)
ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value, changed_at = clock_timestamp()
"""


async def put_property(pool: Pool, tenant: str, made: Property) -> None:
    """Set a property."""
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(_PUT_PROPERTY, tenant, made.name, made.value)


_GET_PROPERTY = "SELECT name, value FROM properties WHERE tenant = $1 AND name = $2"


async def get_property(pool: Pool, tenant: str, name: str) -> Property | None:
    """The property of a name."""
    async with tenant_transaction(pool, tenant) as connection:
        row = await connection.fetchrow(_GET_PROPERTY, tenant, name)
    return None if row is None else Property(row["name"], row["value"])


_LIST_PROPERTIES = """
SELECT name, value FROM properties WHERE tenant = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3
"""


async def properties_after(pool: Pool, tenant: str, last: str | None, most: int) -> list[Property]:
    """Properties in the order of their names, behind `last`."""
    async with tenant_transaction(pool, tenant) as connection:
        rows = await connection.fetch(_LIST_PROPERTIES, tenant, last, most)
    return [Property(row["name"], row["value"]) for row in rows]
