"""`deliveries`: retries that are due, and those that were released and not taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.scheduler.store.deliveries import DueDelivery, keys
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.postgres.pool import Connection, Pool, transaction
from shared.runtime.metrics import SINK_CHANNELS


@dataclass(frozen=True, slots=True)
class Way:
    """A channel and lane, whose sinks are one consumer group."""

    channel: Channel
    lane: Lane

    @property
    def group(self) -> str:
        """The consumer group, without prefix."""
        return f"dispatcher.{self.channel}.{self.lane}"


WAYS = tuple(Way(channel, lane) for channel in SINK_CHANNELS for lane in Lane)

# Whoever sets a due time takes `released_until` back, so that a release counts only for the due time it came after.
# Each lane has a batch of its own, so that a morning after quiet hours keeps nothing urgent waiting. Its name is no
# parameter: a plan for any lane would read through all of the full one in search of the others.
_DUE_IN_LANE = """
SELECT * FROM (
  SELECT tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, attempt, accepted_at,
    extract(epoch FROM db_now() - due_at)::float8 AS late_seconds
  FROM deliveries WHERE state = 'retry' AND released_until IS NULL AND lane = '{lane}' AND due_at <= db_now()
  ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS {lane}
"""
_DUE = "UNION ALL".join(_DUE_IN_LANE.format(lane=lane) for lane in Lane)
_MARK_RELEASED = """
UPDATE deliveries SET released_until = db_now() + make_interval(secs => $3)
WHERE id = ANY ($1::uuid[]) AND expires_on = ANY ($2::date[])
"""


async def release(pool: Pool, most: int, again_seconds: float) -> list[DueDelivery]:
    """Mark up to `most` due retries a lane as released for `again_seconds` and return them to be produced."""
    async with transaction(pool) as connection:
        due = [DueDelivery.of(row) for row in await connection.fetch(_DUE, most)]
        await _mark(connection, due, again_seconds)
    return due


_OVERDUE = """
SELECT way.channel, way.lane, db_now() AS now
FROM unnest($1::text[], $2::text[]) AS way (channel, lane) CROSS JOIN LATERAL (
  SELECT FROM deliveries d
  WHERE d.state = 'retry' AND d.channel = way.channel AND d.lane = way.lane AND d.released_until <= db_now()
  LIMIT 1) AS waiting
"""


async def overdue(pool: Pool) -> list[tuple[Way, datetime]]:
    """The ways with retries whose release has run out, and the time now."""
    channels, lanes = [way.channel for way in WAYS], [way.lane for way in WAYS]
    async with transaction(pool) as connection:
        rows = await connection.fetch(_OVERDUE, channels, lanes)
    return [(Way(Channel(row["channel"]), Lane(row["lane"])), row["now"]) for row in rows]


_LOST = """
SELECT tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, attempt, accepted_at,
  NULL::float8 AS late_seconds
FROM deliveries
WHERE state = 'retry' AND channel = $1 AND lane = $2 AND released_until <= $3 AND due_at <= db_now()
ORDER BY released_until LIMIT $4 FOR UPDATE SKIP LOCKED
"""


async def repeat(pool: Pool, way: Way, until: datetime, most: int, again_seconds: float) -> list[DueDelivery]:
    """Mark up to `most` retries of a way as released again whose release ran out before `until`."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(_LOST, way.channel, way.lane, until, most)
        lost = [DueDelivery.of(row) for row in rows]
        await _mark(connection, lost, again_seconds)
    return lost


async def _mark(connection: Connection, released: Sequence[DueDelivery], again_seconds: float) -> None:
    if released:
        await connection.execute(_MARK_RELEASED, *keys(released), again_seconds)
