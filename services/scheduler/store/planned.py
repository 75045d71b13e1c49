"""`inbox_items`: which deliveries were planned, in the order of time, a slice at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from shared.contract import ids
from shared.contract.importance import Lane
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel
from shared.postgres.pool import Connection

_GROUP = "scheduler.reconciler"
"""The reconciler's marks are positions too: restored with the record, they rewind with it. µs since 1970."""

_BEGIN = """
INSERT INTO positions (consumer_group, topic, partition, "offset")
VALUES ($1, $2, 0, (extract(epoch FROM db_now() - make_interval(hours => 1)) * 1000000)::bigint)
ON CONFLICT (consumer_group, topic, partition) DO NOTHING
"""
_READ_MARK = """
SELECT to_timestamp("offset" / 1000000.0) FROM positions
WHERE consumer_group = $1 AND topic = $2 AND partition = 0 FOR UPDATE SKIP LOCKED
"""
_HORIZON = "SELECT db_now() - make_interval(secs => $1)"
_WRITE_MARK = """
UPDATE positions SET "offset" = (extract(epoch FROM $3::timestamptz) * 1000000)::bigint
WHERE consumer_group = $1 AND topic = $2 AND partition = 0
"""


async def horizon(connection: Connection, age_seconds: float) -> datetime:
    """The moment `age_seconds` ago, by the database's clock."""
    found: datetime = await connection.fetchval(_HORIZON, age_seconds)
    return found


async def lock_mark(connection: Connection, lane: Lane) -> datetime | None:
    """Up to when a lane's items have been looked at; None when another replica is at it."""
    await connection.execute(_BEGIN, _GROUP, f"inbox_items.{lane}")
    found: datetime | None = await connection.fetchval(_READ_MARK, _GROUP, f"inbox_items.{lane}")
    return found


async def write_mark(connection: Connection, lane: Lane, until: datetime) -> None:
    """Note up to when a lane's items have been looked at."""
    await connection.execute(_WRITE_MARK, _GROUP, f"inbox_items.{lane}", until)


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """What intake chose for one recipient of one notification."""

    tenant: str
    recipient: str
    notification_id: UUID
    expires_on: date
    push_endpoints: Sequence[UUID]
    immediate_email: bool
    lane: Lane
    accepted_at: datetime

    def requests(self, at: datetime) -> list[DeliveryRequested]:
        """The first attempts of all its deliveries."""
        ways = [(str(endpoint), Channel.PUSH) for endpoint in self.push_endpoints]
        if self.immediate_email:
            ways.append((ids.EMAIL, Channel.EMAIL))
        return [
            DeliveryRequested(
                id=ids.delivery(self.tenant, self.notification_id, self.recipient, endpoint), at=at,
                tenant=self.tenant, subject="notification", subject_id=self.notification_id,
                recipient=self.recipient, endpoint=endpoint, channel=channel, lane=self.lane, attempt=1,
                accepted_at=self.accepted_at, expires_on=self.expires_on,
            )
            for endpoint, channel in ways
        ]  # fmt: skip


# No order and no limit: a slice is read whole through a cursor, so nothing is sorted.
_SLICE = """
SELECT i.tenant, i.recipient, i.notification_id, i.expires_on, i.push_endpoints,
  i.email_plan = 'immediate' AS immediate_email, n.lane, n.accepted_at
FROM inbox_items i
JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
WHERE i.created_at > $1 AND i.created_at <= $2 AND n.lane = $3
  AND (cardinality(i.push_endpoints) > 0 OR i.email_plan = 'immediate')
  AND n.cancelled_at IS NULL AND (n.expires_at IS NULL OR n.expires_at > db_now())
"""


async def between(
    connection: Connection, lane: Lane, after: datetime, until: datetime, batch: int
) -> AsyncIterator[list[PlannedItem]]:
    """Items of a lane made in (after, until] that have planned deliveries, in batches."""
    cursor = await connection.cursor(_SLICE, after, until, lane.value)
    while rows := await cursor.fetch(batch):
        yield [_item(row) for row in rows]


def _item(row: asyncpg.Record) -> PlannedItem:
    return PlannedItem(
        row["tenant"], row["recipient"], row["notification_id"], row["expires_on"], row["push_endpoints"],
        row["immediate_email"], Lane(row["lane"]), row["accepted_at"],
    )  # fmt: skip
