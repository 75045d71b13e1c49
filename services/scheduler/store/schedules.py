"""`schedules`: notifications that wait for their time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.contract.importance import STANDARD_OPTIONS
from shared.contract.messages import NotificationAccepted, NotificationScheduled
from shared.postgres.pool import Connection, Pool, transaction

IDENTITY_OUTLIVES_DAYS = 7

_IDENTITY_GONE_DAYS = 15
"""The door keeps an identity to the end of the 14th day after the due one: the 15th is the first without it."""


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule that has just been marked as released."""

    id: int
    late_seconds: float | None
    notification: NotificationAccepted


# A row stays as long as its identity does: due + retention + 7 days once intake took it in, and never
# less than the door gave it: one that was cancelled is not taken in, and its key must still answer for it.
_ADD = """
INSERT INTO schedules (id, tenant, notification_id, due_at, local, timezone, job, notification, remove_after)
SELECT added.id, added.tenant, added.notification_id, added.due_at, added.local, added.timezone, added.job,
       added.notification::jsonb,
       greatest(
         added.due_at + make_interval(days => coalesce(own.retention, added.retention) + $11),
         ((greatest(added.due_at, db_now()) AT TIME ZONE 'UTC')::date + $12::integer) AT TIME ZONE 'UTC')
FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::timestamptz[], $5::timestamp[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::integer[])
  AS added (id, tenant, notification_id, due_at, local, timezone, job, notification, importance, retention)
LEFT JOIN importances own ON own.tenant = added.tenant AND own.name = added.importance
ORDER BY added.notification_id
ON CONFLICT (notification_id) DO NOTHING
"""


async def add(connection: Connection, scheduled: Sequence[NotificationScheduled]) -> None:
    """Store notifications for later within the caller's transaction; one that is there already stays as it is."""
    if scheduled:
        columns = zip(*map(_row, scheduled), strict=True)
        await connection.execute(_ADD, *map(list, columns), IDENTITY_OUTLIVES_DAYS, _IDENTITY_GONE_DAYS)


def _row(scheduled: NotificationScheduled) -> tuple[Any, ...]:
    """The values of a schedule in the order of _ADD's arrays."""
    notification = scheduled.notification.model_copy(update={"schedule_id": scheduled.schedule_id})
    return (
        scheduled.schedule_id, scheduled.tenant, notification.notification_id, scheduled.due_at,
        scheduled.local.replace(tzinfo=None), scheduled.timezone, scheduled.job,
        notification.encoded().decode(), notification.importance.value,
        STANDARD_OPTIONS[notification.importance].retention,
    )  # fmt: skip


# `released_until` keeps the next poll from repeating a release; intake ends `pending` in its own transaction.
_RELEASE = """
WITH due AS (
  SELECT id, released_until FROM schedules
  WHERE state = 'pending' AND due_at <= db_now() AND (released_until IS NULL OR released_until <= db_now())
  ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
UPDATE schedules SET released_until = db_now() + make_interval(secs => $2)
FROM due WHERE schedules.id = due.id
RETURNING schedules.id, schedules.notification,
  CASE WHEN due.released_until IS NULL
       THEN extract(epoch FROM db_now() - due_at)::float8 END AS late_seconds
"""


async def release(pool: Pool, most: int, again_seconds: float) -> list[DueSchedule]:
    """Mark up to `most` due schedules as released for `again_seconds` and return them to be produced."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(_RELEASE, most, again_seconds)
    return [
        DueSchedule(row["id"], row["late_seconds"], NotificationAccepted.model_validate(row["notification"]))
        for row in rows
    ]
