"""One round of letting go: partitions ahead, days that are over, the partition 'infinity', and the sweeps.

Events are acknowledged by Kafka before the rows they tell of are gone. A crash between the two repeats events, whose
ids are derived from what they tell.
"""

import asyncio
import functools
from dataclasses import dataclass
from datetime import date, datetime

import structlog

from services.retention import policy, store, store_infinity, store_planned
from services.retention.endings import Endings
from services.retention.metrics import Metrics
from services.retention.settings import Settings
from services.retention.store import Store
from services.retention.store_sweeps import Sweeps, Swept
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.kafka.producer import Producer
from shared.postgres import pool as postgres

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sweep:
    """Does what is due; raises TransientError when PostgreSQL or Kafka is away or a table is held, and begins again."""

    settings: Settings
    store: Store
    producer: Producer
    metrics: Metrics

    async def round(self, stop: asyncio.Event) -> None:
        """Everything once, in batches; returns early between two batches when `stop` is set.

        A step that has to wait does not keep the next ones waiting: a backup holds every table against being changed.
        What is needed tomorrow comes first, what is needed in a month last.
        """
        now = await self.store.cutoff_time()
        waiting: list[TransientError] = []
        for step in (self._make_near, self._end_days, self._remove_undated, self._sweep_all, self._make_ahead):
            try:
                await step(now, stop)
            except TransientError as error:
                waiting.append(error)
        if waiting:
            raise waiting[0]

    async def _make_near(self, now: datetime, stop: asyncio.Event) -> None:
        await self._make_partitions(1, now, stop)

    async def _make_ahead(self, now: datetime, stop: asyncio.Event) -> None:
        await self._make_partitions(self.settings.partition_days_ahead, now, stop)

    async def _make_partitions(self, days_ahead: int, now: datetime, stop: asyncio.Event) -> None:
        """A transaction a day, so that what is done stays done."""
        if await self.store.partition_days_ahead() >= days_ahead:
            return
        made = 0
        for day in policy.days_needed(policy.cutoffs(now).today, days_ahead):
            if not stop.is_set():
                made += await self.store.make_partitions_of(day)
        _log.info("partitions_made", partitions=made, days_ahead=days_ahead)

    async def _end_days(self, now: datetime, stop: asyncio.Event) -> None:
        for day in await self.store.expired_days():
            if not stop.is_set():
                await self._end_day(day, now, stop)

    async def _sweep_all(self, now: datetime, stop: asyncio.Event) -> None:
        for swept in Swept:
            await self._sweep(swept, now, stop)

    async def _end_day(self, day: date, now: datetime, stop: asyncio.Event) -> None:
        batch, endings = self.settings.retention_batch, self._endings()
        unfinished = await endings.unfinished(lambda tx: store.end_unfinished(tx, day, batch), now, stop)
        read = functools.partial(store_planned.of_day, day=day, batch=batch)
        never_begun = await endings.never_begun(read, day, now, stop)
        expired = await endings.expired_of_day(day, now, stop)
        failpoint("retention.before_drop")
        for table in policy.DROP_ORDER:
            if stop.is_set():
                return
            if await self.store.drop_partition(table, day):
                self.metrics.dropped_partitions.labels(table).inc()
        counts = {"notifications": expired, "unfinished": unfinished, "never_begun": never_begun}
        _log.info("day_expired", day=day.isoformat(), **counts)

    async def _remove_undated(self, now: datetime, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if await self._remove_batch(now, stop) < self.settings.retention_batch:
                return

    async def _remove_batch(self, now: datetime, stop: asyncio.Event) -> int:
        """Everything is told first; `stop` may come before all of it is, and then nothing is removed."""
        batch, endings = self.settings.retention_batch, self._endings()
        removable = await self.store.removable(batch)
        ids = [expired.id for expired, _ in removable]
        if not ids:
            return 0
        await endings.unfinished(lambda tx: store_infinity.end_unfinished_of(tx, ids, batch), now, stop)
        read = functools.partial(store_planned.of_notifications, notifications=ids, batch=batch)
        await endings.never_begun(read, date.max, now, stop)
        await endings.expired([expired for expired, is_told in removable if is_told], now)
        if stop.is_set():
            return 0
        async with postgres.transaction(self.store.pool, within_seconds=None) as connection:
            await store_infinity.remove(connection, ids)
        return len(ids)

    def _endings(self) -> Endings:
        return Endings(self.store, self.producer, self.metrics, self.settings.retention_batch)

    async def _sweep(self, swept: Swept, now: datetime, stop: asyncio.Event) -> None:
        old, sweeps = policy.cutoffs(now), Sweeps(self.store.pool)
        while not stop.is_set():
            removed = await sweeps.remove(swept, old, self.settings.retention_batch)
            self.metrics.swept.labels(swept).inc(removed)
            if removed < self.settings.retention_batch:
                return
