"""What ingest asks of PostgreSQL: who may ask, and whether an idempotency key was used before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.access import StoredKey
from shared.postgres import bodies
from shared.postgres.pool import Pool, tenant_transaction, transaction, transient_when_away

REJECTED_DAYS = 7
"""How long the original of a rejected record is kept when it is too large for the topic."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that wants to be the one under its id.

    `payload_hash` is None for a request without key; `due_at` makes it a schedule's. With `only_known` it is looked
    up, never entered. `answered_count` is the number that its caller is answered with, if any.
    """

    id: UUID
    tenant: str
    payload_hash: bytes | None
    due_at: datetime | None = None
    only_known: bool = False
    answered_count: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `identities`; `taken_in`: intake has seen its message."""

    id: UUID
    payload_hash: bytes | None
    accepted_at: datetime
    schedule_id: int | None
    taken_in: bool
    answered_count: int | None = None


class Store:
    """Ingest's statements, as its own role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # Until intake has taken it in and knows its retention, an identity is remembered for the standard retention and
    # the 7 days every identity outlives its notification.
    _ENTER = """
    INSERT INTO identities (id, tenant, payload_hash, accepted_at, expires_on, schedule_id, answered_count)
    SELECT id, tenant, payload_hash, db_now(), (greatest(db_now(), due_at) AT TIME ZONE 'UTC')::date + 14,
           CASE WHEN due_at IS NOT NULL THEN nextval('schedule_ids') END, answered_count
    FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::timestamptz[], $5::integer[])
      AS claim (id, tenant, payload_hash, due_at, answered_count)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, payload_hash, accepted_at, schedule_id, taken_in_at IS NOT NULL AS taken_in, answered_count
    """

    async def enter(self, claims: Sequence[Claim]) -> list[Entry]:
        """Enter claims, one per id, and return those that were not known.

        They must be sorted by id: two doors that enter the same ids in different orders would wait for each other.
        """
        with transient_when_away():
            rows = await self._pool.fetch(
                self._ENTER,
                [claim.id for claim in claims],
                [claim.tenant for claim in claims],
                [claim.payload_hash for claim in claims],
                [claim.due_at for claim in claims],
                [claim.answered_count for claim in claims],
            )
        return [Entry(**row) for row in rows]

    _KNOWN = """
    SELECT known.id, known.payload_hash, accepted_at, schedule_id, taken_in_at IS NOT NULL AS taken_in, answered_count
    FROM unnest($1::uuid[], $2::text[]) AS claim (id, tenant)
    JOIN identities known ON known.id = claim.id AND known.tenant = claim.tenant
    """

    async def known(self, claims: Sequence[Claim]) -> list[Entry]:
        """The entries of claims that were entered before."""
        with transient_when_away():
            rows = await self._pool.fetch(
                self._KNOWN, [claim.id for claim in claims], [claim.tenant for claim in claims]
            )
        return [Entry(**row) for row in rows]

    _KEYS = """
    SELECT tenant, id, scopes, hmac, previous_hmac, previous_until, expires_at, revoked_at, changed_at
    FROM api_keys WHERE $1::timestamptz IS NULL OR changed_at > $1
    """

    async def keys(self, changed_after: datetime | None) -> list[tuple[StoredKey, datetime]]:
        """API keys changed after a time of the database's clock, or all, each with the time of its change."""
        with transient_when_away():
            rows = await self._pool.fetch(self._KEYS, changed_after)
        return [_key(dict(row)) for row in rows]

    _PROPERTIES = """
    SELECT tenant, name, value, changed_at FROM properties WHERE $1::timestamptz IS NULL OR changed_at > $1
    """

    async def properties(self, changed_after: datetime | None) -> list[tuple[str, str, Any, datetime]]:
        """Properties changed after a time of the database's clock, or all: tenant, name, value, time of the change."""
        with transient_when_away():
            rows = await self._pool.fetch(self._PROPERTIES, changed_after)
        return [tuple(row) for row in rows]

    _KNOWN_USERS = "SELECT id FROM users WHERE tenant = $1 AND id = ANY($2::text[])"

    async def known_users(self, tenant: str, users: Sequence[str]) -> frozenset[str]:
        """Those of these ids that are users of a tenant."""
        async with tenant_transaction(self._pool, tenant) as connection:
            rows = await connection.fetch(self._KNOWN_USERS, tenant, users)
        return frozenset(row["id"] for row in rows)

    _TENANTS = "SELECT id FROM tenants"

    async def tenants(self) -> frozenset[str]:
        """The ids of all tenants."""
        with transient_when_away():
            rows = await self._pool.fetch(self._TENANTS)
        return frozenset(row["id"] for row in rows)

    async def keep_originals(self, originals: Sequence[tuple[str, bytes]]) -> None:
        """Keep rejected originals, each under its tenant ('' where the record named none), in one transaction."""
        async with transaction(self._pool) as connection:
            for tenant, original in originals:
                await bodies.keep(connection, tenant, original, REJECTED_DAYS)


def _key(row: dict[str, Any]) -> tuple[StoredKey, datetime]:
    changed_at: datetime = row.pop("changed_at")
    return StoredKey(**{**row, "scopes": frozenset(row["scopes"])}), changed_at
