"""Schedules and retries that are due go back to their topics."""

from datetime import UTC, datetime
from time import monotonic

import structlog

from services.scheduler.metrics import Kind, Metrics
from services.scheduler.settings import Settings
from services.scheduler.store import deliveries, schedules
from shared.contract import records
from shared.kafka.producer import Producer
from shared.postgres.pool import Pool

_log = structlog.get_logger()


class Release:
    """Marks what is due and produces it; what a crash keeps from being produced is due again a little later."""

    def __init__(self, pool: Pool, producer: Producer, metrics: Metrics, settings: Settings) -> None:
        self._pool = pool
        self._producer = producer
        self._metrics = metrics
        self._batch = settings.release_batch
        self._again_seconds = settings.release_seconds

    async def schedules(self) -> bool:
        """One batch of due schedules; True when it was full. Intake ends `pending`: until then it is repeated."""
        begun = monotonic()
        due = await schedules.release(self._pool, self._batch, self._again_seconds)
        await self._producer.send_all([records.accepted(schedule.notification) for schedule in due])
        self._count(Kind.SCHEDULE, [schedule.late_seconds for schedule in due], begun)
        return len(due) == self._batch

    async def retries(self) -> bool:
        """One batch of due retries; True when it was full."""
        begun = monotonic()
        due = await deliveries.release(self._pool, self._batch, self._again_seconds)
        now = datetime.now(UTC)
        await self._producer.send_all([records.delivery(delivery.request(now)) for delivery in due])
        self._count(Kind.RETRY, [delivery.late_seconds for delivery in due], begun)
        return len(due) == self._batch

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
