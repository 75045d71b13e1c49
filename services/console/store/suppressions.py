"""`suppressions`: whom a tenant's mail is not sent to, and what a report about a delivery leads to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.console.store import statements
from shared.postgres.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that is not written to; `address` is null once its recipient was erased."""

    id: str
    address: str | None
    reason: str
    detail: str
    delivery_id: UUID | None
    at: datetime


_LIST = """
SELECT encode(hash, 'hex'), address, reason, detail, delivery_id, at FROM suppressions
WHERE tenant = $1 AND ($2::text IS NULL OR hash = address_hash($1, $2))
  AND ($3::timestamptz IS NULL OR (at, hash) > ($3, decode($4, 'hex')))
ORDER BY at, hash LIMIT $5
"""


async def after(
    pool: Pool, tenant: str, address: str | None, last: tuple[datetime, str] | None, most: int
) -> list[Suppression]:
    """Suppressions, oldest first, behind `last`; those of one address where one is asked for."""
    at, place = last or (None, None)
    return [_suppression(row) for row in await statements.rows(pool, tenant, _LIST, address, at, place, most)]


_GET = """
SELECT encode(hash, 'hex'), address, reason, detail, delivery_id, at FROM suppressions
WHERE tenant = $1 AND hash = address_hash($1, $2)
"""


async def get(pool: Pool, tenant: str, address: str) -> Suppression | None:
    """The suppression of an address."""
    row = await statements.row(pool, tenant, _GET, address)
    return None if row is None else _suppression(row)


_DELETE = "DELETE FROM suppressions WHERE tenant = $1 AND hash = address_hash($1, $2) RETURNING hash"


async def delete(pool: Pool, tenant: str, address: str) -> bool:
    """Write to an address again; False when nothing keeps anybody from it."""
    return await statements.row(pool, tenant, _DELETE, address) is not None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A mail delivery that a report is about; `address` is the one it was written to, None where nobody knows it."""

    id: UUID
    recipient: str
    notification_id: UUID | None
    expires_on: date
    address: str | None


_DELIVERED = """
WITH named AS (
  SELECT address_hash($1, name) AS hash, min(name) AS address FROM unnest($3::text[]) AS name GROUP BY hash
)
SELECT d.id, d.recipient, CASE WHEN d.subject = 'notification' THEN d.subject_id END AS notification_id, d.expires_on,
  CASE WHEN d.address_hash = address_hash($1, u.email) THEN u.email ELSE named.address END AS address
FROM deliveries d
LEFT JOIN users u ON u.tenant = d.tenant AND u.id = d.recipient
LEFT JOIN named ON named.hash = d.address_hash
WHERE d.id = ANY ($2::uuid[]) AND d.tenant = $1 AND d.channel = 'email'
"""


async def delivered(
    connection: Connection, tenant: str, ids: Sequence[UUID], named: Sequence[str]
) -> dict[UUID, Delivered]:
    """The tenant's mail deliveries of these ids.

    Which address each was written to is known by its hash alone. It is the recipient's now, or one of those `named`.
    """
    rows = await connection.fetch(_DELIVERED, tenant, list(ids), list(named))
    return {row["id"]: Delivered(*row.values()) for row in rows}


_TELL = """
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
VALUES ($1, $2, $3, db_now(), $4, $5)
"""


async def tell(connection: Connection, tenant: str, about: Delivered, event: str, detail: str) -> None:
    """Put into the notification's trace what came back; a digest has no trace of its own."""
    if about.notification_id is not None:
        said = {"recipient": about.recipient, "detail": detail}
        await connection.execute(_TELL, tenant, about.notification_id, about.expires_on, event, said)


def _suppression(row: asyncpg.Record) -> Suppression:
    return Suppression(*row.values())
