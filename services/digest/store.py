"""The digest service's statements: claim due windows, end their items, remember the digests."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.digest import records
from services.digest.windows import Closed, Item, Stray, Window
from shared.contract.importance import Lane
from shared.postgres.pool import Connection

RELEASED_SECONDS = 10
"""The flush produces a digest's delivery itself; the scheduler produces it again only after this."""

_NOW = "SELECT db_now()"


async def now(connection: Connection) -> datetime:
    """The database's time, which alone decides what is due."""
    told: datetime = await connection.fetchval(_NOW)
    return told


# Keys in order, here and where intake opens windows, keep two transactions from waiting for each other. A window that
# intake holds at this moment is skipped: it may be about to get another item, and comes with the next look.
_CLAIM_NAMED = """
WITH due AS MATERIALIZED (
  SELECT tenant, recipient, class_key FROM windows WHERE id = ANY ($1::uuid[]) AND due_at <= db_now()
  ORDER BY tenant, recipient, class_key FOR UPDATE SKIP LOCKED
)
DELETE FROM windows w USING due
WHERE (w.tenant, w.recipient, w.class_key) = (due.tenant, due.recipient, due.class_key)
RETURNING w.tenant, w.recipient, w.class_key, w.id, w.opened_at, w.due_at
"""


async def claim_named(connection: Connection, ids: Sequence[UUID]) -> list[Window]:
    """Close those of these windows that are due; the rows are this transaction's."""
    return [Window(*row) for row in await connection.fetch(_CLAIM_NAMED, ids)]


_CLAIM_OVERDUE = """
WITH due AS MATERIALIZED (
  SELECT tenant, recipient, class_key FROM windows WHERE due_at <= db_now() - make_interval(secs => $1)
  ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM windows w USING due
WHERE (w.tenant, w.recipient, w.class_key) = (due.tenant, due.recipient, due.class_key)
RETURNING w.tenant, w.recipient, w.class_key, w.id, w.opened_at, w.due_at
"""


async def claim_overdue(connection: Connection, late_seconds: float, most: int) -> list[Window]:
    """Close windows that are late by so much, latest first; the rows are this transaction's."""
    return [Window(*row) for row in await connection.fetch(_CLAIM_OVERDUE, late_seconds, most)]


# A statement of its own after the claim: it sees every item that was committed before the window was locked. Items of
# a day that is over are retention's, whose partitions may go at any moment.
_UNSENT = """
SELECT w.id, i.notification_id, i.expires_on, n.lane, n.accepted_at, i.created_at,
  least(i.expires_at, n.expires_at) AS expires_at,
  n.id IS NULL AS is_gone, i.dismissed_at IS NOT NULL AS is_dismissed, n.completed_at IS NOT NULL AS is_completed,
  n.cancelled_at IS NOT NULL AS is_cancelled, p.state IS NOT DISTINCT FROM 'unsubscribed' AS is_unsubscribed,
  u.kind AS user_kind, coalesce(u.email, '') <> '' AS has_address
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS w (tenant, recipient, class_key, id)
JOIN inbox_items i ON i.tenant = w.tenant AND i.recipient = w.recipient AND i.class_key = w.class_key
  AND i.email_plan = 'digest' AND i.digest_id IS NULL AND i.email_skipped IS NULL
  AND i.expires_on >= (db_now() AT TIME ZONE 'UTC')::date
LEFT JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
LEFT JOIN users u ON u.tenant = w.tenant AND u.id = w.recipient
LEFT JOIN LATERAL preferred(w.tenant, w.recipient, 'email', w.class_key, n.asset, false) p ON true
"""


async def unsent(connection: Connection, windows: Sequence[Window]) -> list[Item]:
    """Every unsent item of these windows."""
    keys = [(window.tenant, window.recipient, window.class_key, window.id) for window in windows]
    return [_item(row) for row in await connection.fetch(_UNSENT, *_columns(keys, 4))]


def _item(row: Any) -> Item:
    return Item(
        window_id=row["id"],
        notification_id=row["notification_id"],
        expires_on=row["expires_on"],
        lane=Lane(row["lane"] or Lane.ROUTINE),
        accepted_at=row["accepted_at"] or row["created_at"],
        expires_at=row["expires_at"],
        is_gone=row["is_gone"],
        is_dismissed=row["is_dismissed"],
        is_completed=row["is_completed"],
        is_cancelled=row["is_cancelled"],
        is_unsubscribed=row["is_unsubscribed"],
        user_kind=row["user_kind"],
        has_address=row["has_address"],
    )


_END_ITEMS = """
UPDATE inbox_items i SET digest_id = ended.digest_id, email_skipped = ended.reason
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::date[], $5::uuid[], $6::text[])
  AS ended (tenant, recipient, notification_id, expires_on, digest_id, reason)
WHERE i.tenant = ended.tenant AND i.recipient = ended.recipient AND i.notification_id = ended.notification_id
  AND i.expires_on = ended.expires_on AND i.digest_id IS NULL AND i.email_skipped IS NULL
"""

_INSERT_SKIPPED = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, reason,
  attempt, accepted_at, created_at, ended_at)
SELECT tenant, id, expires_on, 'notification', subject_id, recipient, 'email', 'email', lane, 'skipped', reason,
  0, accepted_at, $9, $9
FROM unnest($1::text[], $2::uuid[], $3::date[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
  AS skip (tenant, id, expires_on, subject_id, recipient, lane, reason, accepted_at)
ON CONFLICT (id, expires_on) DO NOTHING
"""

_INSERT_DIGESTS = """
INSERT INTO digests (tenant, id, expires_on, recipient, class_key, opened_at, due_at, flushed_at, member_count)
SELECT tenant, id, $8, recipient, class_key, opened_at, due_at, $9, members
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::integer[])
  AS digest (tenant, id, recipient, class_key, opened_at, due_at, members)
"""

_INSERT_DELIVERIES = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, attempt,
  due_at, released_until, accepted_at, created_at)
SELECT tenant, id, $5, 'digest', subject_id, recipient, 'email', 'email', 'routine', 'retry', 1,
  $6::timestamptz, $6::timestamptz + make_interval(secs => $7), $6, $6
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[]) AS mail (tenant, id, subject_id, recipient)
"""


async def remember(connection: Connection, closed: Sequence[Closed], at: datetime) -> None:
    """Write how windows ended: their items, the skips' traces, the digests and the deliveries of their mails."""
    ended = [row for each in closed for row in _ended(each)]
    if ended:
        await connection.execute(_END_ITEMS, *_columns(ended, 6))
    skipped = [row for each in closed for row in _skipped(each)]
    if skipped:
        await connection.execute(_INSERT_SKIPPED, *_columns(skipped, 8), at)
    mailed = [each for each in closed if each.members]
    if mailed:
        day = records.expires_on(at)
        await connection.execute(_INSERT_DIGESTS, *_columns(map(_digest, mailed), 7), day, at)
        rows = map(_delivery, mailed)
        await connection.execute(_INSERT_DELIVERIES, *_columns(rows, 4), day, at, RELEASED_SECONDS)


def _ended(each: Closed) -> list[tuple[Any, ...]]:
    tenant, recipient, digest = each.window.tenant, each.window.recipient, each.window.id
    members = [(tenant, recipient, item.notification_id, item.expires_on, digest, None) for item in each.members]
    left = [(tenant, recipient, item.notification_id, item.expires_on, None, why) for item, why in each.left_out]
    return [*members, *left]


def _skipped(each: Closed) -> list[tuple[Any, ...]]:
    tenant, recipient = each.window.tenant, each.window.recipient
    return [
        (
            tenant, records.delivery_id(tenant, item.notification_id, recipient), item.expires_on,
            item.notification_id, recipient, item.lane, reason, item.accepted_at,
        )
        for item, reason in each.left_out
    ]  # fmt: skip


def _digest(each: Closed) -> tuple[Any, ...]:
    window = each.window
    key = (window.tenant, window.id, window.recipient, window.class_key)
    return (*key, window.opened_at, window.due_at, len(each.members))


def _delivery(each: Closed) -> tuple[Any, ...]:
    window = each.window
    mail = records.delivery_id(window.tenant, window.id, window.recipient)
    return (window.tenant, mail, window.id, window.recipient)


_STRAYS = """
SELECT i.tenant, i.recipient, i.class_key, i.created_at, coalesce(n.options, '{}') AS options
FROM inbox_items i
LEFT JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
WHERE i.email_plan = 'digest' AND i.digest_id IS NULL AND i.email_skipped IS NULL
  AND i.expires_on >= (db_now() AT TIME ZONE 'UTC')::date
  AND NOT EXISTS (SELECT FROM windows w
                  WHERE w.tenant = i.tenant AND w.recipient = i.recipient AND w.class_key = i.class_key)
LIMIT $1
"""


async def strays(connection: Connection, most: int) -> list[Stray]:
    """Unsent items of digest classes that no window waits for, at most so many."""
    return [Stray(*row) for row in await connection.fetch(_STRAYS, most)]


_OPEN = """
INSERT INTO windows (tenant, recipient, class_key, id, opened_at, due_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (tenant, recipient, class_key) DO NOTHING
"""


async def open_windows(connection: Connection, windows: Sequence[Window]) -> None:
    """Open windows; one that has opened meanwhile stays as it is."""
    keys = [(each.tenant, each.recipient, each.class_key, each.id, each.opened_at, each.due_at) for each in windows]
    await connection.execute(_OPEN, *_columns(keys, 6))


_STILL_OPEN = "SELECT id FROM windows WHERE id = ANY ($1::uuid[])"


async def still_open(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these windows have not been flushed."""
    return {row["id"] for row in await connection.fetch(_STILL_OPEN, ids)}


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as the arrays that `unnest` takes."""
    taken = list(rows)
    return [[row[column] for row in taken] for column in range(width)]
