"""`deliveries`: leases that ran out, what is known, what is pending."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import asyncpg

from shared.contract.importance import Lane
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel, Reason
from shared.postgres.pool import Connection, Pool, transaction


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery whose next attempt, number `attempt`, is due."""

    tenant: str
    id: UUID
    expires_on: date
    subject: Literal["notification", "digest"]
    subject_id: UUID
    recipient: str
    endpoint: str
    channel: Channel
    lane: Lane
    attempt: int
    accepted_at: datetime
    late_seconds: float | None

    @classmethod
    def of(cls, row: asyncpg.Record) -> "DueDelivery":
        """The delivery of a row that has all its fields."""
        return cls(
            row["tenant"], row["id"], row["expires_on"], row["subject"], row["subject_id"], row["recipient"],
            row["endpoint"], Channel(row["channel"]), Lane(row["lane"]), row["attempt"], row["accepted_at"],
            row["late_seconds"],
        )  # fmt: skip

    def request(self, at: datetime) -> DeliveryRequested:
        """The delivery as it is asked of a sink."""
        return DeliveryRequested(
            id=self.id, at=at, tenant=self.tenant, subject=self.subject, subject_id=self.subject_id,
            recipient=self.recipient, endpoint=self.endpoint, channel=self.channel, lane=self.lane,
            attempt=self.attempt, accepted_at=self.accepted_at, expires_on=self.expires_on,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LostLease:
    """A delivery whose sink did not record an outcome in time.

    `holds`: its notification, or one of its digest's members, says on_ambiguous: hold.
    """

    delivery: DueDelivery
    holds: bool


_RUN_OUT = """
SELECT d.tenant, d.id, d.expires_on, d.subject, d.subject_id, d.recipient, d.endpoint, d.channel, d.lane, d.attempt,
  d.accepted_at, NULL::float8 AS late_seconds,
  coalesce(CASE d.subject
    WHEN 'digest' THEN (
      SELECT bool_or(n.options ->> 'on_ambiguous' = 'hold') FROM inbox_items i
      JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
      WHERE i.digest_id = d.subject_id AND i.tenant = d.tenant)
    ELSE (
      SELECT bool_or(n.options ->> 'on_ambiguous' = 'hold') FROM notifications n
      WHERE n.id = d.subject_id AND n.expires_on = d.expires_on AND n.tenant = d.tenant)
  END, false) AS holds
FROM deliveries d
WHERE d.state = 'leased' AND d.lease_until <= db_now()
ORDER BY d.lease_until LIMIT $1 FOR UPDATE OF d SKIP LOCKED
"""


async def run_out(connection: Connection, most: int) -> list[LostLease]:
    """Lock up to `most` deliveries whose lease ran out."""
    return [LostLease(DueDelivery.of(row), row["holds"]) for row in await connection.fetch(_RUN_OUT, most)]


# The attempt is noted at the end of its lease: when its sink began is not known here.
_NOTE_AMBIGUOUS = """
INSERT INTO attempts (tenant, delivery_id, expires_on, attempt, at, outcome, reason, detail, seconds)
SELECT tenant, id, expires_on, attempt, lease_until, 'ambiguous', $3, $4, 0 FROM deliveries
WHERE id = ANY ($1::uuid[]) AND expires_on = ANY ($2::date[])
ON CONFLICT (delivery_id, attempt, expires_on) DO NOTHING
"""


async def note_ambiguous(connection: Connection, deliveries: Sequence[DueDelivery]) -> None:
    """Record the attempt under way of each delivery as one of which nobody knows whether it arrived."""
    detail = "the sink recorded no outcome before its lease ran out"
    await connection.execute(_NOTE_AMBIGUOUS, *keys(deliveries), Reason.LEASE_RAN_OUT.value, detail)


# The fence grows, so that a sink that was only slow cannot record over the new attempt.
_TRY_AGAIN = """
UPDATE deliveries SET state = 'retry', reason = $3, attempt = attempt + 1, due_at = db_now(), released_until = NULL,
  fence = fence + 1, lease_owner = NULL, lease_until = NULL
WHERE id = ANY ($1::uuid[]) AND expires_on = ANY ($2::date[])
"""


async def try_again(connection: Connection, deliveries: Sequence[DueDelivery]) -> None:
    """Make the next attempt of each delivery due now."""
    if deliveries:
        await connection.execute(_TRY_AGAIN, *keys(deliveries), Reason.LEASE_RAN_OUT.value)


_GIVE_UP = """
UPDATE deliveries SET state = 'dead', reason = $3, ended_at = db_now(), released_until = NULL, due_at = NULL,
  fence = fence + 1, lease_owner = NULL, lease_until = NULL
WHERE id = ANY ($1::uuid[]) AND expires_on = ANY ($2::date[])
"""


async def give_up(connection: Connection, deliveries: Sequence[DueDelivery], reason: Reason) -> None:
    """End each delivery as dead."""
    if deliveries:
        await connection.execute(_GIVE_UP, *keys(deliveries), reason.value)


_MEMBERS = "SELECT digest_id, notification_id FROM inbox_items WHERE digest_id = ANY ($1::uuid[])"


async def notifications_of(connection: Connection, deliveries: Sequence[DueDelivery]) -> dict[UUID, list[UUID]]:
    """The notifications each delivery was to tell of, by its subject: itself, or the members of a digest."""
    found = {delivery.subject_id: [delivery.subject_id] for delivery in deliveries}
    digests = [delivery.subject_id for delivery in deliveries if delivery.subject == "digest"]
    found.update({digest: [] for digest in digests})
    for row in await connection.fetch(_MEMBERS, digests):
        found[row["digest_id"]].append(row["notification_id"])
    return found


_KNOWN = "SELECT id FROM deliveries WHERE id = ANY ($1::uuid[]) AND expires_on = ANY ($2::date[])"


async def known(connection: Connection, deliveries: Sequence[DeliveryRequested]) -> set[UUID]:
    """Which of these deliveries have a row."""
    wanted = [delivery.id for delivery in deliveries]
    days = list({delivery.expires_on for delivery in deliveries})
    return {row["id"] for row in await connection.fetch(_KNOWN, wanted, days)}


# What waits for a paused tenant (due at infinity) is not late, and what quiet hours hold is not before they end.
_OLDEST = """
SELECT lane, channel, extract(
    epoch FROM db_now() - min(CASE reason WHEN 'quiet_hours' THEN due_at ELSE accepted_at END))::float8 AS age_seconds
FROM deliveries
WHERE state = 'leased'
  OR (state = 'retry' AND due_at < CASE reason WHEN 'quiet_hours' THEN db_now() ELSE 'infinity' END)
GROUP BY lane, channel
"""


async def oldest_pending(pool: Pool) -> dict[tuple[Lane, Channel], float]:
    """Age in seconds of the oldest delivery under way, by lane and channel; absent where there is none."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(_OLDEST)
    return {(Lane(row["lane"]), Channel(row["channel"])): row["age_seconds"] for row in rows}


def keys(deliveries: Sequence[DueDelivery]) -> tuple[list[UUID], list[date]]:
    """Ids and the few days they expire on, which name the partitions to look into."""
    return [delivery.id for delivery in deliveries], list({delivery.expires_on for delivery in deliveries})
