"""What one person was told, erased a portion at a time: items, digests, their deliveries, and what nobody else got.

What is being sent is let finish: its delivery stays, and with it the item or digest by which it is found again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Portion:
    """Whose rows, behind which id, and how many of them."""

    tenant: str
    user: str
    behind: UUID | None
    most: int


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a portion: rows by table, and the id behind which the next begins; None: there is none."""

    rows: Mapping[str, int]
    next: UUID | None


_ITEMS = """
SELECT notification_id AS id, expires_on FROM inbox_items
WHERE tenant = $1 AND recipient = $2 AND ($3::uuid IS NULL OR notification_id > $3) ORDER BY notification_id LIMIT $4
"""
# Of two recipients who are erased at once, the second to come here sees that nobody else is left.
_HOLD = """
SELECT FROM notifications n JOIN unnest($2::uuid[], $3::date[]) AS told (id, expires_on) USING (id, expires_on)
WHERE n.tenant = $1 ORDER BY n.id FOR NO KEY UPDATE OF n
"""
_DELIVERIES = """
WITH gone AS (
  DELETE FROM deliveries d USING unnest($3::uuid[], $4::date[]) AS told (id, expires_on)
  WHERE d.tenant = $1 AND d.recipient = $2 AND d.subject_id = told.id AND d.expires_on = told.expires_on
    AND d.state <> 'leased'
  RETURNING d.id, d.expires_on
), tried AS (
  DELETE FROM attempts a USING gone
  WHERE a.tenant = $1 AND a.delivery_id = gone.id AND a.expires_on = gone.expires_on
  RETURNING a.delivery_id
)
SELECT (SELECT count(*) FROM gone) AS deliveries, (SELECT count(*) FROM tried) AS attempts
"""
_TIMELINE = """
DELETE FROM timeline t USING unnest($3::uuid[], $4::date[]) AS told (id, expires_on)
WHERE t.tenant = $1 AND t.notification_id = told.id AND t.expires_on = told.expires_on AND t.detail ->> 'recipient' = $2
"""
_COMPLETED = """
UPDATE notifications n SET completed_by = NULL FROM unnest($3::uuid[], $4::date[]) AS told (id, expires_on)
WHERE n.tenant = $1 AND n.id = told.id AND n.expires_on = told.expires_on AND n.completed_by = $2
"""
_DELETE_ITEMS = """
DELETE FROM inbox_items i USING unnest($3::uuid[], $4::date[]) AS told (id, expires_on)
WHERE i.tenant = $1 AND i.recipient = $2 AND i.notification_id = told.id AND i.expires_on = told.expires_on
  AND NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant = $1 AND d.recipient = $2 AND d.subject_id = told.id
                    AND d.expires_on = told.expires_on)
RETURNING i.notification_id AS id, i.expires_on
"""


async def items(connection: Connection, portion: Portion) -> Erased:
    """Erase a portion of a user's inbox items with all that hangs on them."""
    told = await connection.fetch(_ITEMS, portion.tenant, portion.user, portion.behind, portion.most)
    keys = _keys(told)
    await connection.execute(_HOLD, portion.tenant, *keys)
    rows = await _deliveries(connection, portion, told)
    rows["timeline"] = _changed(await connection.execute(_TIMELINE, portion.tenant, portion.user, *keys))
    rows["notifications"] = _changed(await connection.execute(_COMPLETED, portion.tenant, portion.user, *keys))
    gone = await connection.fetch(_DELETE_ITEMS, portion.tenant, portion.user, *keys)
    rows["inbox_items"] = len(gone)
    for table, changed in (await _of_nobody(connection, portion.tenant, gone)).items():
        rows[table] = rows.get(table, 0) + changed
    return Erased(rows, told[-1]["id"] if len(told) == portion.most else None)


_OF_NOBODY = """
DELETE FROM notifications n USING unnest($2::uuid[], $3::date[]) AS gone (id, expires_on)
WHERE n.tenant = $1 AND n.id = gone.id AND n.expires_on = gone.expires_on
  AND NOT EXISTS (SELECT FROM inbox_items i
                  WHERE i.tenant = $1 AND i.notification_id = n.id AND i.expires_on = n.expires_on)
  AND NOT EXISTS (SELECT FROM fanouts f WHERE f.tenant = $1 AND f.notification_id = n.id AND f.ended_at IS NULL)
RETURNING n.id, n.expires_on
"""
_TIMELINE_OF_NOBODY = """
DELETE FROM timeline t USING unnest($2::uuid[], $3::date[]) AS gone (id, expires_on)
WHERE t.tenant = $1 AND t.notification_id = gone.id AND t.expires_on = gone.expires_on
"""
_RUNS_OF_NOBODY = "DELETE FROM runs WHERE tenant = $1 AND notification_id = ANY ($2::uuid[]) AND state <> 'leased'"


async def _of_nobody(connection: Connection, tenant: str, told: list[asyncpg.Record]) -> dict[str, int]:
    """Erase those of these notifications that no other recipient has."""
    gone = await connection.fetch(_OF_NOBODY, tenant, *_keys(told))
    ids, days = _keys(gone)
    return {
        "notifications": len(gone),
        "timeline": _changed(await connection.execute(_TIMELINE_OF_NOBODY, tenant, ids, days)),
        "runs": _changed(await connection.execute(_RUNS_OF_NOBODY, tenant, ids)),
    }


_DIGESTS = """
SELECT id, expires_on FROM digests
WHERE tenant = $1 AND recipient = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_DELETE_DIGESTS = """
DELETE FROM digests g USING unnest($3::uuid[], $4::date[]) AS told (id, expires_on)
WHERE g.tenant = $1 AND g.recipient = $2 AND g.id = told.id AND g.expires_on = told.expires_on
  AND NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant = $1 AND d.recipient = $2 AND d.subject_id = told.id
                    AND d.expires_on = told.expires_on)
"""


async def digests(connection: Connection, portion: Portion) -> Erased:
    """Erase a portion of a user's digests with their mails."""
    told = await connection.fetch(_DIGESTS, portion.tenant, portion.user, portion.behind, portion.most)
    rows = await _deliveries(connection, portion, told)
    rows["digests"] = _changed(await connection.execute(_DELETE_DIGESTS, portion.tenant, portion.user, *_keys(told)))
    return Erased(rows, told[-1]["id"] if len(told) == portion.most else None)


_STRAYS = """
WITH gone AS (
  DELETE FROM deliveries WHERE (id, expires_on) IN (
    SELECT id, expires_on FROM deliveries
    WHERE tenant = $1 AND recipient = $2 AND reason IN ('unknown_recipient', 'endpoint_gone') AND state <> 'leased'
      AND ($3::uuid IS NULL OR id > $3)
    ORDER BY id LIMIT $4)
  RETURNING id, expires_on
), tried AS (
  DELETE FROM attempts a USING gone
  WHERE a.tenant = $1 AND a.delivery_id = gone.id AND a.expires_on = gone.expires_on
  RETURNING a.delivery_id
)
SELECT (SELECT count(*) FROM gone) AS deliveries, (SELECT count(*) FROM tried) AS attempts, max(id::text)::uuid AS last
FROM gone
"""


async def strays(connection: Connection, portion: Portion) -> Erased:
    """Erase deliveries that were claimed after what they tell of was erased: they were skipped."""
    row = await connection.fetchrow(_STRAYS, portion.tenant, portion.user, portion.behind, portion.most)
    rows = {"deliveries": row["deliveries"], "attempts": row["attempts"]} if row else {}
    return Erased(rows, row["last"] if row and row["deliveries"] == portion.most else None)


async def _deliveries(connection: Connection, portion: Portion, told: list[asyncpg.Record]) -> dict[str, int]:
    row = await connection.fetchrow(_DELIVERIES, portion.tenant, portion.user, *_keys(told))
    return dict(row) if row else {}


def _keys(told: list[asyncpg.Record]) -> tuple[list[UUID], list[object]]:
    return [row["id"] for row in told], [row["expires_on"] for row in told]


def _changed(status: str) -> int:
    return int(status.rpartition(" ")[2])
