"""Leases that ran out end here and nowhere else: an ambiguous attempt, then another one, or a dead letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

import structlog

from services.scheduler.metrics import Metrics
from services.scheduler.settings import Settings
from services.scheduler.store import deliveries
from services.scheduler.store.deliveries import DueDelivery, LostLease
from shared.contract import records
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.postgres import dead_letters, outbox
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Connection, Pool, transaction

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What becomes of deliveries whose outcome is unknown."""

    again: Sequence[DueDelivery]
    held: Sequence[DueDelivery]
    exhausted: Sequence[DueDelivery]


def verdicts(lost: Sequence[LostLease], max_attempts: int) -> Verdicts:
    """Try again, unless the notification would rather hold what may have arrived, or all attempts are spent."""
    going_on = [lease.delivery for lease in lost if not lease.holds]
    return Verdicts(
        again=[delivery for delivery in going_on if delivery.attempt < max_attempts],
        held=[lease.delivery for lease in lost if lease.holds],
        exhausted=[delivery for delivery in going_on if delivery.attempt >= max_attempts],
    )


class Leases:
    """Ends leases that ran out, but never within one lease of this process's own reconnection.

    While PostgreSQL was away no sink could record its outcomes; each first gets the time to do so.
    """

    def __init__(self, pool: Pool, metrics: Metrics, settings: Settings) -> None:
        self._pool = pool
        self._metrics = metrics
        self._settings = settings
        self._not_before = monotonic() + settings.lease_seconds

    async def sweep(self) -> bool:
        """One batch of run-out leases; True when it was full."""
        if monotonic() < self._not_before:
            await self._look()
            return False
        try:
            async with transaction(self._pool) as connection:
                lost = await deliveries.run_out(connection, self._settings.release_batch)
                if lost:
                    await self._end(connection, lost)
                    failpoint("scheduler.before_end")
        except TransientError:
            self._not_before = monotonic() + self._settings.lease_seconds
            raise
        self._count(lost)
        return len(lost) == self._settings.release_batch

    async def _look(self) -> None:
        """Notice an outage that falls into the waiting time."""
        try:
            async with transaction(self._pool) as connection:
                await connection.execute("SELECT 1")
        except TransientError:
            self._not_before = monotonic() + self._settings.lease_seconds
            raise

    async def _end(self, connection: Connection, lost: Sequence[LostLease]) -> None:
        found = verdicts(lost, self._settings.max_attempts)
        await deliveries.note_ambiguous(connection, [lease.delivery for lease in lost])
        await deliveries.try_again(connection, found.again)
        await deliveries.give_up(connection, found.held, Reason.AMBIGUOUS)
        await deliveries.give_up(connection, found.exhausted, Reason.ATTEMPTS_EXHAUSTED)
        dead = [(each, Reason.AMBIGUOUS) for each in found.held]
        dead += [(each, Reason.ATTEMPTS_EXHAUSTED) for each in found.exhausted]
        await self._tell(connection, dead)

    async def _tell(self, connection: Connection, dead: Sequence[tuple[DueDelivery, Reason]]) -> None:
        """Bury what was given up, and have it told for every notification it was to tell of."""
        now = datetime.now(UTC)
        letters = [_letter(delivery, reason, now) for delivery, reason in dead]
        await dead_letters.bury(connection, letters)
        told = await deliveries.notifications_of(connection, [delivery for delivery, _ in dead])
        events = [
            _failed(delivery, reason, notification, now)
            for delivery, reason in dead
            for notification in told[delivery.subject_id]
        ]
        await outbox.add(connection, [*(letter.record() for letter in letters), *events])

    def _count(self, lost: Sequence[LostLease]) -> None:
        if not lost:
            return
        found = verdicts(lost, self._settings.max_attempts)
        for lease in lost:
            self._metrics.ambiguous(lease.delivery.channel, lease.delivery.lane)
        self._metrics.dead_letters.labels(Reason.AMBIGUOUS).inc(len(found.held))
        self._metrics.dead_letters.labels(Reason.ATTEMPTS_EXHAUSTED).inc(len(found.exhausted))
        _log.warning("leases_ran_out", again=len(found.again), held=len(found.held), exhausted=len(found.exhausted))


def _letter(delivery: DueDelivery, reason: Reason, now: datetime) -> DeadLetter:
    detail = "no outcome was recorded before the lease ran out: it may have arrived"
    return dead_letters.of_delivery(delivery.request(now), reason, detail)


def _failed(delivery: DueDelivery, reason: Reason, notification: UUID, now: datetime) -> Record:
    """The event of a delivery that was given up, as the sinks tell it."""
    about = {
        "recipient": delivery.recipient, "channel": delivery.channel, "endpoint": delivery.endpoint,
        "delivery_id": str(delivery.id), "attempt": delivery.attempt, "reason": reason,
    }  # fmt: skip
    if delivery.subject == "digest":
        about["digest_id"] = str(delivery.subject_id)
    parts = (delivery.recipient, delivery.endpoint)
    return records.event("failed", delivery.tenant, notification, now, about, *parts)
