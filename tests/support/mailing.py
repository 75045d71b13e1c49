"""Rows and records as intake leaves them, for tests of what comes after it."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from shared.contract import ids, messages, records
from shared.kafka.producer import Producer
from shared.postgres.pool import Pool

TENANT = "acme"

_TENANT = "INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING"
_USER = "INSERT INTO users (tenant, id, email, kind) VALUES ($1, $2, $3, $4)"
_NOTIFICATION = """
INSERT INTO notifications (tenant, id, expires_on, source, name, description, importance, class_key, options, items,
  requires_action, script, channels, lane, door, owner, accepted_at, created_at, expires_at, remove_after,
  completed_at, cancelled_at, asset, recipient_count)
VALUES ($1, $2, $3, 'test', 'A name', 'A description', 'info', $4, $5, '[]', $6, 'default', '{inbox,email}', 'routine',
  'http', 'key', $7, $7, $8, $9, $10, $11, $12, 1)
"""
_IDENTITY = """
INSERT INTO identities (id, tenant, payload_hash, accepted_at, taken_in_at, expires_on)
VALUES ($1, $2, 'hash', $3, $3, $4)
"""
_ITEM = """
INSERT INTO inbox_items (tenant, recipient, notification_id, expires_on, importance, class_key, hidden, created_at,
  expires_at, remove_after, push_endpoints, email_plan, dismissed_at)
VALUES ($1, $2, $3, $4, 'info', $5, false, $6, $7, $8, '{}', $9, $10)
"""
_WINDOW = """
INSERT INTO windows (tenant, recipient, class_key, id, opened_at, due_at)
SELECT $1, $2, $3, $4, $5::timestamptz, $5::timestamptz + make_interval(secs => $6)
ON CONFLICT (tenant, recipient, class_key) DO UPDATE SET due_at = windows.due_at RETURNING id, opened_at, due_at
"""


@dataclasses.dataclass(frozen=True)
class Taken:
    """What one notification to one recipient looks like after intake; `window_seconds` None opens no window."""

    recipient: str = "ada"
    class_key: str = "enquiries"
    window_seconds: float | None = 2.0
    email_plan: str = "digest"
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    requires_action: bool = False
    expires_in: timedelta | None = timedelta(days=7)
    created_ago: timedelta = timedelta()
    is_dismissed: bool = False
    is_completed: bool = False
    is_cancelled: bool = False
    asset: str | None = None

    def expires_on(self, now: datetime) -> date:
        """The partition; an action that is open has none of its own."""
        return date.max if self.expires_in is None else (now + max(self.expires_in, timedelta())).date()


async def directory(owner: Pool, users: dict[str, str | None], kind: str = "user") -> None:
    """The tenant and users with their addresses."""
    await owner.execute(_TENANT, TENANT)
    for user, email in users.items():
        await owner.execute(_USER, TENANT, user, email, kind)


async def take_in(owner: Pool, producer: Producer | None, taken: Taken) -> UUID:
    """Write the rows of a notification in one transaction, then tell of a window that opened; its id."""
    notification = ids.fresh()
    async with owner.acquire() as connection, connection.transaction():
        now = await connection.fetchval("SELECT db_now()")
        await _write(connection, notification, taken, now)
        window = await _open_window(connection, taken, now)
    if producer is not None and window is not None:
        await producer.send(records.window_opened(window))
    return notification


async def _write(connection: Any, notification: UUID, taken: Taken, now: datetime) -> None:
    day, created = taken.expires_on(now), now - taken.created_ago
    expires_at = None if taken.expires_in is None else now + taken.expires_in
    completed, cancelled = (now if is_so else None for is_so in (taken.is_completed, taken.is_cancelled))
    await connection.execute(_IDENTITY, notification, TENANT, created, _later(day))
    await connection.execute(
        _NOTIFICATION, TENANT, notification, day, taken.class_key, taken.options, taken.requires_action,
        created, expires_at, None, completed, cancelled, taken.asset,
    )  # fmt: skip
    dismissed = now if taken.is_dismissed else None
    await connection.execute(
        _ITEM, TENANT, taken.recipient, notification, day, taken.class_key, created, expires_at, None,
        taken.email_plan, dismissed,
    )  # fmt: skip


def _later(day: date) -> date:
    return day if day == date.max else day + timedelta(days=7)


async def _open_window(connection: Any, taken: Taken, now: datetime) -> messages.WindowOpened | None:
    if taken.window_seconds is None or taken.email_plan != "digest":
        return None
    window = ids.digest(TENANT, taken.recipient, taken.class_key, now)
    row: asyncpg.Record = await connection.fetchrow(
        _WINDOW, TENANT, taken.recipient, taken.class_key, window, now, taken.window_seconds
    )
    if row["id"] != window:
        return None
    return messages.WindowOpened(
        id=window, at=datetime.now(UTC), tenant=TENANT, recipient=taken.recipient, class_key=taken.class_key,
        opened_at=row["opened_at"], due_at=row["due_at"],
    )  # fmt: skip


async def shift_clock(owner: Pool, by: timedelta) -> None:
    """Move the time that every statement asks for."""
    seconds = by.total_seconds()
    await owner.execute(
        "CREATE OR REPLACE FUNCTION db_now() RETURNS timestamptz LANGUAGE sql STABLE "
        f"AS 'SELECT now() + make_interval(secs => {seconds})'"
    )
