"""What the inbox reads and writes, each inside the tenant of the recipient's token."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.inbox.items import StoredItem
from services.inbox.tokens import Recipient
from shared.contract.importance import Importance, ImportanceOptions
from shared.postgres.pool import Connection

IDENTITY_OUTLIVES_DAYS = 7
"""An identity is known this much longer than its record, so that deduplication outlives it (X2)."""

_IMPORTANCES = "SELECT name, retention, css_class, sort, send FROM importances WHERE tenant = $1"


async def importances(connection: Connection, tenant: str) -> dict[str, ImportanceOptions]:
    """What a tenant overrides of the standard importances, by name."""
    rows = await connection.fetch(_IMPORTANCES, tenant)
    return {
        row["name"]: ImportanceOptions(row["retention"], row["css_class"], row["sort"], row["send"]) for row in rows
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """Which items: `show` open, dismissed or all; behind `after`; importances in the order presented."""

    show: str
    after: tuple[Importance, datetime, UUID] | None
    most: int


# For each page all of the recipient's items are read and sorted, in the tenant's order: it is stored nowhere, since a
# tenant may change it. A cursor names the importance, not its rank, so that it stays good when that happens.
_LIST = """
SELECT n.id, n.expires_on, n.name, n.description, i.importance, i.class_key, i.created_at,
  least(i.expires_at, n.expires_at) AS expires_at, n.requires_action, n.completed_by, n.completed_at, i.dismissed_at,
  n.action_url, n.items, i.version + (n.completed_at IS NOT NULL)::integer AS version,
  n.options ->> 'type' AS type, n.options ->> 'status' AS status
FROM inbox_items i
JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
WHERE i.tenant = $1 AND i.recipient = $2 AND NOT i.hidden AND n.cancelled_at IS NULL
  AND coalesce(least(i.expires_at, n.expires_at) > db_now(), true)
  AND ($3 = 'all' OR ($3 = 'dismissed') = (i.dismissed_at IS NOT NULL))
  AND ($5::text IS NULL OR (array_position($4::text[], i.importance), i.created_at, i.notification_id)
                           > (array_position($4::text[], $5), $6::timestamptz, $7::uuid))
ORDER BY array_position($4::text[], i.importance), i.created_at, i.notification_id
LIMIT $8
"""


async def items(
    connection: Connection, recipient: Recipient, order: Sequence[Importance], asked: Asked
) -> list[StoredItem]:
    """A recipient's items in the order presented (C3), oldest first within an importance."""
    behind = asked.after or (None, None, None)
    rows = await connection.fetch(_LIST, recipient.tenant, recipient.id, asked.show, list(order), *behind, asked.most)
    return [_item(row) for row in rows]


_COUNT = """
SELECT count(*) AS open,
  count(*) FILTER (WHERE n.requires_action AND n.completed_at IS NULL) AS action_required
FROM inbox_items i
JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
WHERE i.tenant = $1 AND i.recipient = $2 AND NOT i.hidden AND n.cancelled_at IS NULL
  AND coalesce(least(i.expires_at, n.expires_at) > db_now(), true) AND i.dismissed_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Count:
    """How many items are open, and how many of them wait for somebody to act."""

    open: int
    action_required: int


async def count(connection: Connection, recipient: Recipient) -> Count:
    """The counts of a recipient's open items."""
    [row] = await connection.fetch(_COUNT, recipient.tenant, recipient.id)
    return Count(row["open"], row["action_required"])


_GET = """
SELECT n.id, n.expires_on, n.name, n.description, i.importance, i.class_key, i.created_at,
  least(i.expires_at, n.expires_at) AS expires_at, n.requires_action, n.completed_by, n.completed_at, i.dismissed_at,
  n.action_url, n.items, i.version + (n.completed_at IS NOT NULL)::integer AS version,
  n.options ->> 'type' AS type, n.options ->> 'status' AS status
FROM notifications n
JOIN inbox_items i ON i.notification_id = n.id AND i.expires_on = n.expires_on AND i.tenant = n.tenant
WHERE n.tenant = $1 AND n.id = $3 AND i.recipient = $2 AND NOT i.hidden AND n.cancelled_at IS NULL
  AND coalesce(least(i.expires_at, n.expires_at) > db_now(), true)
"""


async def item(connection: Connection, recipient: Recipient, notification: UUID) -> StoredItem | None:
    """A recipient's item; None when it is nobody's or another's."""
    row = await connection.fetchrow(_GET, recipient.tenant, recipient.id, notification)
    return None if row is None else _item(row)


# Of two who complete at once the second waits, and then sees who did.
_LOCK = _GET + "FOR UPDATE OF n"


async def lock(connection: Connection, recipient: Recipient, notification: UUID) -> StoredItem | None:
    """As `item`, with its notification held until the transaction ends."""
    row = await connection.fetchrow(_LOCK, recipient.tenant, recipient.id, notification)
    return None if row is None else _item(row)


_LOCALE = "SELECT locale FROM users WHERE tenant = $1 AND id = $2"


async def locale(connection: Connection, recipient: Recipient) -> str | None:
    """A recipient's locale; None where the directory does not say."""
    found: str | None = await connection.fetchval(_LOCALE, recipient.tenant, recipient.id)
    return found


_COMPLETE = """
UPDATE notifications SET completed_by = $4, completed_at = db_now(),
  expires_at = least(expires_at, db_now() + make_interval(days => $5)),
  remove_after = least(expires_at, db_now() + make_interval(days => $5))
WHERE tenant = $1 AND id = $2 AND expires_on = $3
RETURNING completed_at, expires_at
"""
_END_IDENTITY = """
UPDATE identities SET expires_on = (($3::timestamptz AT TIME ZONE 'UTC')::date + $4::integer)
WHERE tenant = $1 AND id = $2
"""


async def complete(connection: Connection, recipient: Recipient, item: StoredItem, retention_days: int) -> datetime:
    """Complete a locked item for all its recipients and plan its end from now (C8); when that was.

    It stands in the notification alone: whoever reads an item of it reads the notification too.
    """
    key = (recipient.tenant, item.notification_id, item.expires_on)
    [row] = await connection.fetch(_COMPLETE, *key, recipient.id, retention_days)
    await connection.execute(
        _END_IDENTITY, recipient.tenant, item.notification_id, row["expires_at"], IDENTITY_OUTLIVES_DAYS
    )
    completed_at: datetime = row["completed_at"]
    return completed_at


_DISMISS = """
UPDATE inbox_items SET dismissed_at = CASE WHEN $5 THEN db_now() END, version = version + 1
WHERE tenant = $1 AND recipient = $2 AND notification_id = $3 AND expires_on = $4
  AND (dismissed_at IS NOT NULL) <> $5
RETURNING version, db_now() AS at
"""


@dataclass(frozen=True, slots=True)
class Change:
    """When an item changed, and its version since."""

    at: datetime
    version: int


async def dismiss(connection: Connection, recipient: Recipient, item: StoredItem, *, dismissed: bool) -> Change | None:
    """Dismiss an item for this recipient, or undo it; None when it is so already."""
    row = await connection.fetchrow(
        _DISMISS, recipient.tenant, recipient.id, item.notification_id, item.expires_on, dismissed
    )
    return None if row is None else Change(row["at"], row["version"])


_TELL = """
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail) VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something a recipient did."""

    at: datetime
    event: str
    detail: dict[str, Any]


async def tell(connection: Connection, tenant: str, item: StoredItem, moment: Moment) -> None:
    """Add what a recipient did to the notification's story."""
    await connection.execute(
        _TELL, tenant, item.notification_id, item.expires_on, moment.at, moment.event, moment.detail
    )


def _item(row: asyncpg.Record) -> StoredItem:
    expires_on: date = row["expires_on"]
    return StoredItem(
        row["id"], expires_on, row["name"], row["description"], Importance(row["importance"]), row["class_key"],
        row["created_at"], row["expires_at"], row["requires_action"], row["completed_by"], row["completed_at"],
        row["dismissed_at"], row["action_url"], row["items"], row["version"],
        row["type"], row["status"],
    )  # fmt: skip
