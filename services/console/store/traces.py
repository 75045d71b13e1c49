"""What the record knows about one notification, over all the tables that do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Story:
    """One notification as a whole; what is None has not happened, or its row is gone.

    `expires_on` is None while there is no row of the notification: before intake, and after retention.
    """

    accepted_at: datetime | None
    taken_in_at: datetime | None
    schedule_id: int | None
    schedule_state: str | None
    due_at: datetime | None
    expires_on: date | None
    is_cancelled: bool
    is_expired: bool
    is_fanning_out: bool
    is_under_way: bool


_STORY = """
SELECT coalesce(n.accepted_at, i.accepted_at, (s.notification ->> 'accepted_at')::timestamptz) AS accepted_at,
  i.taken_in_at, s.id AS schedule_id, s.state AS schedule_state, s.due_at, n.expires_on,
  n.cancelled_at IS NOT NULL AS is_cancelled, coalesce(n.expires_at <= db_now(), false) AS is_expired,
  EXISTS (SELECT FROM fanouts f WHERE f.tenant = $1 AND f.notification_id = $2 AND f.ended_at IS NULL)
    AS is_fanning_out,
  EXISTS (SELECT FROM deliveries d WHERE d.tenant = $1 AND d.subject_id = $2 AND d.state IN ('leased', 'retry'))
    AS is_under_way
FROM (SELECT) AS one
LEFT JOIN notifications n ON n.tenant = $1 AND n.id = $2
LEFT JOIN identities i ON i.tenant = $1 AND i.id = $2
LEFT JOIN schedules s ON s.tenant = $1 AND s.notification_id = $2
WHERE n.id IS NOT NULL OR i.id IS NOT NULL OR s.id IS NOT NULL
"""


async def story(connection: Connection, tenant: str, notification: UUID) -> Story | None:
    """The notification as a whole; None when the tenant has none of this id."""
    row = await connection.fetchrow(_STORY, tenant, notification)
    return None if row is None else Story(*row.values())


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a notification."""

    at: datetime
    event: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """What intake chose for a recipient; `window_due_at` is when the open digest window ends."""

    recipient: str
    push_endpoints: Sequence[UUID]
    email_plan: str
    digest_id: UUID | None
    email_skipped: str | None
    window_due_at: datetime | None


_ITEMS = """
SELECT i.recipient, i.push_endpoints, i.email_plan, i.digest_id, i.email_skipped, w.due_at AS window_due_at
FROM inbox_items i
LEFT JOIN windows w ON w.tenant = i.tenant AND w.recipient = i.recipient AND w.class_key = i.class_key
WHERE i.tenant = $1 AND i.notification_id = $2 AND i.expires_on = $3
  AND ($4::text IS NULL OR i.recipient = $4) AND ($5::text IS NULL OR i.recipient > $5)
ORDER BY i.recipient LIMIT $6
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Which recipients of a notification: one or all, those behind `after`, at most `most`."""

    notification: UUID
    expires_on: date
    recipient: str | None
    after: str | None
    most: int


async def items(connection: Connection, tenant: str, part: Part) -> list[Item]:
    """The inbox items of a part of the recipients, in the order of their ids."""
    rows = await connection.fetch(
        _ITEMS, tenant, part.notification, part.expires_on, part.recipient, part.after, part.most
    )
    return [Item(*row.values()) for row in rows]


# Whoever completed it did so for everybody.
_TIMELINE = """
SELECT at, event, detail FROM timeline
WHERE tenant = $1 AND notification_id = $2 AND expires_on = $3
  AND CASE WHEN detail ->> 'recipient' IS NULL OR event = 'completed' THEN $5::boolean
        ELSE detail ->> 'recipient' = ANY ($4) END
ORDER BY at
"""


async def timeline(connection: Connection, tenant: str, part: Part, recipients: Sequence[str]) -> list[Moment]:
    """What happened to these recipients, and with the first part what happened to the notification, by time."""
    rows = await connection.fetch(
        _TIMELINE, tenant, part.notification, part.expires_on, list(recipients), part.after is None
    )
    return [Moment(row["at"], row["event"], row["detail"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery of a notification, or of a digest it stands in."""

    id: UUID
    subject_id: UUID
    recipient: str
    channel: str
    endpoint: str
    state: str
    reason: str | None
    due_at: datetime | None


_DELIVERIES = """
SELECT id, subject_id, recipient, channel, endpoint, state, reason,
  CASE WHEN state = 'retry' AND due_at < 'infinity' THEN due_at END AS due_at
FROM deliveries WHERE tenant = $1 AND subject_id = ANY ($2::uuid[]) AND recipient = ANY ($3::text[])
ORDER BY recipient, channel, endpoint
"""


async def deliveries(
    connection: Connection, tenant: str, subjects: Sequence[UUID], recipients: Sequence[str]
) -> list[Delivery]:
    """The deliveries of notifications or digests to some recipients."""
    rows = await connection.fetch(_DELIVERIES, tenant, subjects, recipients)
    return [Delivery(*row.values()) for row in rows]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a delivery; `detail` is what the other side said."""

    at: datetime
    outcome: str
    reason: str | None
    seconds: float
    detail: str | None


_ATTEMPTS = """
SELECT delivery_id, at, outcome, reason, seconds, detail FROM attempts
WHERE tenant = $1 AND delivery_id = ANY ($2::uuid[]) ORDER BY delivery_id, attempt
"""


async def attempts(connection: Connection, tenant: str, deliveries: Sequence[UUID]) -> dict[UUID, list[Attempt]]:
    """The attempts at deliveries, first to last, by delivery."""
    found: dict[UUID, list[Attempt]] = {}
    for row in await connection.fetch(_ATTEMPTS, tenant, deliveries):
        found.setdefault(row["delivery_id"], []).append(_attempt(row))
    return found


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(row["at"], row["outcome"], row["reason"], row["seconds"], row["detail"])
