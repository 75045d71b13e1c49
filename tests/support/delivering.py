"""Deliveries on a real database: what a claim reads is put there, what an outcome wrote is read back."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from services.dispatcher.delivery.claim_store import Bounds, Claimed, ClaimStore, Slot
from services.dispatcher.delivery.claims import Asked
from services.dispatcher.delivery.outcome_store import OutcomeStore
from shared.clock import SystemClock
from shared.contract import ids
from shared.contract.importance import Lane
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel
from shared.postgres.pool import Pool, open_pool
from shared.runtime.settings import PostgresSettings
from tests.support.claims import SECRET
from tests.support.databases import Database

TENANT = "acme"
LEASE_SECONDS = 60.0

_NOTIFICATION = """
INSERT INTO notifications (tenant, id, expires_on, source, name, description, importance, class_key, options, items,
  requires_action, action_url, script, channels, lane, door, owner, accepted_at, created_at, expires_at, cancelled_at,
  completed_at, asset, recipient_count)
VALUES ($1, $2, $3, 'tests', $4, 'Please **answer**', 'warning', 'enquiries', $5, '[]', $6, NULL, 'default',
  '{push,email}', 'urgent', 'http', 'key', now(), now(), $7, $8, $9, $10, 1)
"""
_ITEM = """
INSERT INTO inbox_items (tenant, recipient, notification_id, expires_on, importance, class_key, hidden, created_at,
  expires_at, push_endpoints, email_plan, digest_id, dismissed_at)
VALUES ($1, $2, $3, $4, 'warning', 'enquiries', false, now(), $5, '{}', 'digest', $6, $7)
"""
_DIGEST = """
INSERT INTO digests (tenant, id, expires_on, recipient, class_key, opened_at, due_at, flushed_at, member_count)
VALUES ($1, $2, $3, $4, 'enquiries', now(), now(), now(), 1)
"""


def tomorrow() -> date:
    """A day that has a partition."""
    return datetime.now(UTC).date() + timedelta(days=1)


@dataclass
class Bench:
    """One lane's stores on a database of the test's own, and what the owner of the database may do beside them."""

    owner: "asyncpg.Connection[asyncpg.Record]"
    pool: Pool
    channel: Channel
    lane: Lane = Lane.URGENT
    instance: str = "sink-0"

    @property
    def slot(self) -> Slot:
        """The slot of this process."""
        return Slot(self.channel, self.lane, self.instance)

    @property
    def claims(self) -> ClaimStore:
        """Claims under this slot."""
        return ClaimStore(
            self.pool, self.slot, Bounds(LEASE_SECONDS, poison_per_minute=5, digest_items=3), SystemClock()
        )

    @property
    def outcomes(self) -> OutcomeStore:
        """Outcomes under this slot."""
        return OutcomeStore(self.pool, self.slot, SystemClock())

    async def claim(self, *requests: DeliveryRequested) -> Claimed:
        """Claim deliveries, without poison and positions."""
        return await self.claims.claim(Asked(requests, (), ()))

    async def tenant(self, state: str = "active") -> None:
        """The tenant as it stands now."""
        await self.owner.execute(
            "INSERT INTO tenants (id, state) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
            TENANT, state,
        )  # fmt: skip

    async def endpoint(self, address: str, recipient: str = "ada", **given: Any) -> UUID:
        """A push endpoint; `kind` and `state` may be given."""
        await self.tenant()
        endpoint = uuid.uuid4()
        await self.owner.execute(
            "INSERT INTO endpoints (tenant, id, recipient, channel, kind, address, secret, state)"
            " VALUES ($1, $2, $3, 'push', $4, $5, $6, $7)",
            TENANT, endpoint, recipient, given.get("kind", "webhook"), address, SECRET, given.get("state", "active"),
        )  # fmt: skip
        return endpoint

    async def user(self, name: str = "ada", email: str | None = "ada@example.test", kind: str = "user") -> str:
        """A user of the tenant."""
        await self.tenant()
        await self.owner.execute(
            "INSERT INTO users (tenant, id, email, kind, first_name) VALUES ($1, $2, $3, $4, 'Ada')",
            TENANT, name, email, kind,
        )  # fmt: skip
        return name

    async def notification(self, name: str = "Customer enquiry", **given: Any) -> UUID:
        """A notification; options, requires_action, expires_at, cancelled_at, completed_at, asset may be given."""
        notification = uuid.uuid4()
        await self.owner.execute(
            _NOTIFICATION, TENANT, notification, given.get("expires_on", tomorrow()), name, given.get("options", "{}"),
            given.get("requires_action", False), given.get("expires_at"), given.get("cancelled_at"),
            given.get("completed_at"), given.get("asset"),
        )  # fmt: skip
        return notification

    async def digest(self, members: Sequence[UUID], recipient: str = "ada", **dismissed: Any) -> UUID:
        """A digest of notifications; `dismissed_at` applies to the items of all."""
        digest = uuid.uuid4()
        await self.owner.execute(_DIGEST, TENANT, digest, tomorrow(), recipient)
        for member in members:
            values = (TENANT, recipient, member, tomorrow(), dismissed.get("expires_at"), digest)
            await self.owner.execute(_ITEM, *values, dismissed.get("dismissed_at"))
        return digest

    async def preference(self, class_key: str = "", asset: str = "", state: str = "unsubscribed", **of: Any) -> None:
        """What a recipient wants on this channel, or on another."""
        await self.owner.execute(
            "INSERT INTO preferences (tenant, recipient, channel, class_key, asset, state, changed_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, now())",
            of.get("tenant", TENANT), of.get("recipient", "ada"), of.get("channel", self.channel), class_key, asset,
            state,
        )  # fmt: skip

    def request(self, about: UUID, endpoint: UUID | str = "email", **given: Any) -> DeliveryRequested:
        """The delivery of a subject to an endpoint, as intake, flush or scheduler ask for it."""
        now = datetime.now(UTC)
        recipient = given.get("recipient", "ada")
        values: dict[str, Any] = {
            "id": ids.delivery(TENANT, about, recipient, str(endpoint)), "at": now, "tenant": TENANT,
            "subject": "notification", "subject_id": about, "recipient": recipient, "endpoint": str(endpoint),
            "channel": self.channel, "lane": self.lane, "attempt": 1, "accepted_at": now, "expires_on": tomorrow(),
            **given,
        }  # fmt: skip
        return DeliveryRequested(**values)

    async def row(self, delivery: UUID) -> dict[str, Any]:
        """The delivery as it stands."""
        row = await self.owner.fetchrow("SELECT * FROM deliveries WHERE id = $1", delivery)
        return dict(row) if row else {}

    async def attempts(self, delivery: UUID) -> list[tuple[int, str, str | None]]:
        """Number, outcome and reason of each attempt."""
        query = "SELECT attempt, outcome, reason FROM attempts WHERE delivery_id = $1 ORDER BY attempt"
        return [tuple(row) for row in await self.owner.fetch(query, delivery)]

    async def holds_somebody_up(self) -> bool:
        """Whether another session waits for what the owner's transaction has locked."""
        asked = (
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(await self.owner.fetchval(asked))

    async def pass_time(self, seconds: float) -> None:
        """Move the database's clock."""
        moved = f"SELECT now() + interval '{seconds} seconds'"
        await self.owner.execute(
            f"CREATE OR REPLACE FUNCTION db_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ {moved} $$"
        )


@contextlib.asynccontextmanager
async def opened(database: Database, channel: Channel, lane: Lane = Lane.URGENT) -> AsyncIterator[Bench]:
    """Stores with the dispatcher's own role on a database."""
    settings = PostgresSettings(postgres_dsn=SecretStr(database.dsn("dispatcher")))
    owner = await asyncpg.connect(database.owner)
    try:
        async with open_pool(settings, "test") as pool:
            yield Bench(owner, pool, channel, lane)
    finally:
        await owner.close()


async def side_by_side(*claiming: Coroutine[Any, Any, Claimed]) -> list[Claimed]:
    """The results of claims that run at the same time."""
    return list(await asyncio.gather(*claiming))
