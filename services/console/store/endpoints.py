"""`endpoints`: where push reaches a recipient."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.console.store import statements
from shared.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint without its secret; `reason` says why it is disabled."""

    id: UUID
    recipient: str
    channel: str
    kind: str
    address: str
    state: str
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """An endpoint to be made, with the secret that will sign what is sent there."""

    id: UUID
    recipient: str
    kind: str
    address: str
    secret: str


# Only for users there are: an endpoint of nobody would be accepted and never used.
_ADD = """
INSERT INTO endpoints (tenant, id, recipient, channel, kind, address, secret)
SELECT $1, $2, id, 'push', $4, $5, $6 FROM users WHERE tenant = $1 AND id = $3
RETURNING id, recipient, channel, kind, address, state, reason, created_at
"""


async def add(pool: Pool, tenant: str, wanted: Wanted) -> Endpoint | None:
    """Make an endpoint; None when the recipient is no user of the tenant."""
    row = await statements.row(
        pool, tenant, _ADD, wanted.id, wanted.recipient, wanted.kind, wanted.address, wanted.secret
    )
    return None if row is None else _endpoint(row)


_GET = """
SELECT id, recipient, channel, kind, address, state, reason, created_at FROM endpoints
WHERE tenant = $1 AND id = $2
"""


async def get(pool: Pool, tenant: str, endpoint: UUID) -> Endpoint | None:
    """The endpoint of an id."""
    row = await statements.row(pool, tenant, _GET, endpoint)
    return None if row is None else _endpoint(row)


_LIST = """
SELECT id, recipient, channel, kind, address, state, reason, created_at FROM endpoints
WHERE tenant = $1 AND ($2::text IS NULL OR recipient = $2)
  AND ($3::text IS NULL OR (recipient, id) > ($3, $4::uuid))
ORDER BY recipient, id LIMIT $5
"""


async def after(
    pool: Pool, tenant: str, recipient: str | None, last: tuple[str, UUID] | None, most: int
) -> list[Endpoint]:
    """Endpoints of one recipient or all, in the order of recipients, behind `last`."""
    behind = last or (None, None)
    return [_endpoint(row) for row in await statements.rows(pool, tenant, _LIST, recipient, *behind, most)]


_DELETE = "DELETE FROM endpoints WHERE tenant = $1 AND id = $2 RETURNING id"


async def delete(pool: Pool, tenant: str, endpoint: UUID) -> bool:
    """Delete an endpoint; False when there is none."""
    return await statements.row(pool, tenant, _DELETE, endpoint) is not None


def _endpoint(row: asyncpg.Record) -> Endpoint:
    return Endpoint(*row.values())
