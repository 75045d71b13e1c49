"""Schedules and retries that are due go back to their topics.

What is due is produced at once, whatever waits there already. What was produced and not taken is produced again only
after its consumers have read beyond it: while they are away it waits in Kafka, and repeating it would pile it up.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic

import structlog

from services.scheduler.consumption import Consumption
from services.scheduler.metrics import Kind, Metrics
from services.scheduler.settings import Settings
from services.scheduler.store import retries, schedules
from services.scheduler.store.deliveries import DueDelivery
from services.scheduler.store.schedules import DueSchedule
from shared.contract import records, topics
from shared.contract.records import Record
from shared.failpoint import failpoint
from shared.kafka.producer import Producer
from shared.postgres.pool import Pool

_log = structlog.get_logger()


class Release:
    """Marks what is due and produces it; what a crash keeps from being produced is repeated a little later."""

    def __init__(
        self, pool: Pool, producer: Producer, consumption: Consumption, metrics: Metrics, settings: Settings
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._consumption = consumption
        self._metrics = metrics
        self._batch = settings.release_batch
        self._again_seconds = settings.release_seconds

    async def schedules(self) -> bool:
        """One batch of due schedules for the first time; True when it was full."""
        begun = monotonic()
        due = await schedules.release(self._pool, self._batch, self._again_seconds)
        await self._produce_schedules(due, begun)
        return len(due) == self._batch

    async def retries(self) -> bool:
        """A batch a lane of due retries for the first time; True when one was full."""
        begun = monotonic()
        due = await retries.release(self._pool, self._batch, self._again_seconds)
        await self._produce_retries(due, begun)
        return self._batch in Counter(delivery.lane for delivery in due).values()

    async def repeated_schedules(self) -> bool:
        """A batch a lane of schedules that intake has passed over; True when one was full."""
        more = False
        for lane, now in await schedules.overdue(self._pool):
            until = await self._consumption.until(f"dispatcher.intake.{lane}", topics.accepted(lane), now)
            if until is not None:
                lost = await schedules.repeat(self._pool, lane, until, self._batch, self._again_seconds)
                await self._produce_schedules(lost, monotonic())
                more |= len(lost) == self._batch
        return more

    async def repeated_retries(self) -> bool:
        """A batch a channel and lane of retries that its sinks have passed over; True when one was full."""
        more = False
        for way, now in await retries.overdue(self._pool):
            until = await self._consumption.until(way.group, topics.deliveries(way.channel, way.lane), now)
            if until is not None:
                lost = await retries.repeat(self._pool, way, until, self._batch, self._again_seconds)
                await self._produce_retries(lost, monotonic())
                more |= len(lost) == self._batch
        return more

    async def _produce_schedules(self, due: Sequence[DueSchedule], begun: float) -> None:
        await self._produce([records.accepted(schedule.notification) for schedule in due])
        self._count(Kind.SCHEDULE, [schedule.late_seconds for schedule in due], begun)

    async def _produce_retries(self, due: Sequence[DueDelivery], begun: float) -> None:
        now = datetime.now(UTC)
        await self._produce([records.delivery(delivery.request(now)) for delivery in due])
        self._count(Kind.RETRY, [delivery.late_seconds for delivery in due], begun)

    async def _produce(self, due: Sequence[Record]) -> None:
        if due:
            failpoint("scheduler.before_produce")
            await self._producer.send_all(due)
            failpoint("scheduler.after_produce")

    def _count(self, kind: Kind, late_seconds: list[float | None], begun: float) -> None:
        """Count a release; how late it was says only what is produced for the first time (None: a repeat)."""
        if not late_seconds:
            return
        took = monotonic() - begun
        first = [late for late in late_seconds if late is not None]
        for late in first:
            self._metrics.lateness.labels(kind).observe(late + took)
        self._metrics.released.labels(kind).inc(len(late_seconds))
        _log.info("released", kind=kind, count=len(late_seconds), repeated=len(late_seconds) - len(first))
