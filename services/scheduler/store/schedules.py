"""`schedules`: notifications that wait for their time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from shared.contract.importance import STANDARD_OPTIONS, Lane
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


# `released_until` keeps others from repeating a release; intake ends `pending` in its own transaction.
_RELEASE = """
WITH due AS (
  SELECT id FROM schedules
  WHERE state = 'pending' AND released_until IS NULL AND due_at <= db_now()
  ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
UPDATE schedules SET released_until = db_now() + make_interval(secs => $2)
FROM due WHERE schedules.id = due.id
RETURNING schedules.id, schedules.notification, extract(epoch FROM db_now() - due_at)::float8 AS late_seconds
"""


async def release(pool: Pool, most: int, again_seconds: float) -> list[DueSchedule]:
    """Mark up to `most` due schedules as released for `again_seconds` and return them to be produced."""
    async with transaction(pool) as connection:
        return [_due(row) for row in await connection.fetch(_RELEASE, most, again_seconds)]


_OVERDUE = """
SELECT way.lane, db_now() AS now FROM unnest($1::text[]) AS way (lane) CROSS JOIN LATERAL (
  SELECT FROM schedules
  WHERE state = 'pending' AND notification ->> 'lane' = way.lane AND released_until <= db_now() LIMIT 1) AS waiting
"""


async def overdue(pool: Pool) -> list[tuple[Lane, datetime]]:
    """The lanes with schedules whose release has run out, and the time now."""
    async with transaction(pool) as connection:
        return [(Lane(row["lane"]), row["now"]) for row in await connection.fetch(_OVERDUE, list(Lane))]


_REPEAT = """
WITH lost AS (
  SELECT id FROM schedules
  WHERE state = 'pending' AND notification ->> 'lane' = $1 AND released_until <= $2
  ORDER BY released_until LIMIT $3 FOR UPDATE SKIP LOCKED)
UPDATE schedules SET released_until = db_now() + make_interval(secs => $4)
FROM lost WHERE schedules.id = lost.id
RETURNING schedules.id, schedules.notification, NULL::float8 AS late_seconds
"""


async def repeat(pool: Pool, lane: Lane, until: datetime, most: int, again_seconds: float) -> list[DueSchedule]:
    """Mark up to `most` schedules of a lane as released again whose release ran out before `until`."""
    async with transaction(pool) as connection:
        return [_due(row) for row in await connection.fetch(_REPEAT, lane, until, most, again_seconds)]


def _due(row: asyncpg.Record) -> DueSchedule:
    return DueSchedule(row["id"], row["late_seconds"], NotificationAccepted.model_validate(row["notification"]))
