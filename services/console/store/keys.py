"""`api_keys`: who may call, kept as HMACs. `changed_at` is what ingest's cache follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.console.store import statements
from shared.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class Key:
    """A key without what it is; `previous_until` is how long the one before the last rotation opens too."""

    id: str
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    previous_until: datetime | None


_ADD = """
INSERT INTO api_keys (tenant, id, name, scopes, hmac, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id, name, scopes, created_at, expires_at, revoked_at, previous_until
"""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be stored."""

    id: str
    name: str
    scopes: Sequence[str]
    hmac: bytes
    expires_at: datetime | None


async def add(pool: Pool, tenant: str, new: NewKey) -> Key:
    """Store a key."""
    [row] = await statements.rows(pool, tenant, _ADD, new.id, new.name, new.scopes, new.hmac, new.expires_at)
    return _key(row)


# Two keys are alive at a time: rotating again within the time of the last rotation ends the oldest at once.
_ROTATE = """
UPDATE api_keys SET previous_hmac = hmac, previous_until = db_now() + make_interval(secs => $4), hmac = $3,
  changed_at = clock_timestamp()
WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > db_now())
RETURNING id, name, scopes, created_at, expires_at, revoked_at, previous_until
"""


async def rotate(pool: Pool, tenant: str, key_id: str, hmac: bytes, both_seconds: float) -> Key | None:
    """Give a key a new secret; the one before opens for `both_seconds` more. None when there is no live key."""
    row = await statements.row(pool, tenant, _ROTATE, key_id, hmac, both_seconds)
    return None if row is None else _key(row)


_REVOKE = """
UPDATE api_keys SET revoked_at = db_now(), changed_at = clock_timestamp()
WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL RETURNING id
"""


async def revoke(pool: Pool, tenant: str, key_id: str) -> bool:
    """End a key at once; False when there is none, or it has been revoked before."""
    return await statements.row(pool, tenant, _REVOKE, key_id) is not None


_LIST = """
SELECT id, name, scopes, created_at, expires_at, revoked_at, previous_until FROM api_keys
WHERE tenant = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3
"""


async def after(pool: Pool, tenant: str, last: str | None, most: int) -> list[Key]:
    """Keys in the order of their ids, behind `last`, revoked ones too."""
    return [_key(row) for row in await statements.rows(pool, tenant, _LIST, last, most)]


def _key(row: asyncpg.Record) -> Key:
    return Key(*row.values())
