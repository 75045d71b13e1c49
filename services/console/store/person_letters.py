"""`dead_letters` that concern one person: of deliveries, and of records whose original names the person."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from services.console import persons
from services.console.store import statements
from shared.contract import records
from shared.postgres.pool import Connection, Pool

_PAGE = 50
_LARGEST_BYTES = 4 * 1024 * 1024
"""Of a larger original the bytes are searched and not read."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, and what of it is about the person: the original of a record may be about others too."""

    tenant: str
    id: UUID
    expires_on: date
    original_ref: bytes | None
    shown: Mapping[str, Any]


_NAMING = """
SELECT l.tenant, l.id, l.expires_on, l.original_ref, l.reason, l.topic, l.partition, l."offset", l.delivery_id, l.at,
  l.redriven_at, l.key IS NOT DISTINCT FROM $4 AS is_own,
  CASE WHEN length(coalesce(l.original, b.content)) <= $6 THEN coalesce(l.original, b.content) END AS original
FROM dead_letters l LEFT JOIN bodies b ON b.tenant = l.tenant AND b.hash = l.original_ref
WHERE l.tenant IN ($1, '') AND ($2::uuid IS NULL OR l.id > $2)
  AND (l.key = $4 OR EXISTS (
    SELECT FROM unnest($3::bytea[]) AS needle WHERE position(needle IN coalesce(l.original, b.content)) > 0))
ORDER BY l.id LIMIT $5
"""


async def naming(pool: Pool, tenant: str, user: str, names: Collection[str]) -> AsyncIterator[Letter]:
    """The letters that concern a user by the id, or by one of the names; raises TransientError."""
    key, place = records.recipient_key(tenant, user), None
    while True:
        found = await statements.rows(pool, tenant, _NAMING, place, persons.needles(names), key, _PAGE, _LARGEST_BYTES)
        for row in found:
            if row["is_own"] or row["original"] is None or persons.is_named(row["original"], names):
                yield _letter(row)
        if len(found) < _PAGE:
            return
        place = found[-1]["id"]


def _letter(row: asyncpg.Record) -> Letter:
    hidden = {"tenant", "is_own", "original_ref"} | (set() if row["is_own"] else {"original"})
    shown = {name: value for name, value in row.items() if name not in hidden}
    if "original" in shown and shown["original"] is not None:
        shown["original"] = shown["original"].decode(errors="replace")
    return Letter(row["tenant"], row["id"], row["expires_on"], row["original_ref"], shown)


_DELETE = """
DELETE FROM dead_letters l USING unnest($2::text[], $3::uuid[], $4::date[]) AS gone (tenant, id, expires_on)
WHERE l.tenant = gone.tenant AND l.tenant IN ($1, '') AND l.id = gone.id AND l.expires_on = gone.expires_on
RETURNING l.id
"""
_DELETE_BODIES = """
DELETE FROM bodies b WHERE b.tenant IN ($1, '') AND b.hash = ANY ($2::bytea[])
  AND NOT EXISTS (SELECT FROM dead_letters l WHERE l.tenant = b.tenant AND l.original_ref = b.hash)
RETURNING b.hash
"""


async def delete(connection: Connection, tenant: str, letters: Collection[Letter]) -> dict[str, int]:
    """Delete letters and what stood for their large originals; how many rows of each table."""
    columns = ([each.tenant for each in letters], [each.id for each in letters], [each.expires_on for each in letters])
    gone = await connection.fetch(_DELETE, tenant, *columns)
    references = [each.original_ref for each in letters if each.original_ref is not None]
    texts = await connection.fetch(_DELETE_BODIES, tenant, references) if references else []
    return {"dead_letters": len(gone), "bodies": len(texts)}
