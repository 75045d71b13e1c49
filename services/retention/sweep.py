"""One round of letting go: partitions ahead, days that are over, the partition 'infinity', and the sweeps.

Events are acknowledged by Kafka before the rows they tell of are gone. A crash between the two repeats events, whose
ids are derived from what they tell.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import structlog

from services.retention import policy, store, store_infinity
from services.retention.metrics import Metrics
from services.retention.policy import Unfinished
from services.retention.settings import Settings
from services.retention.store import Store
from services.retention.store_sweeps import Sweeps, Swept
from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.kafka.producer import Producer
from shared.postgres import pool as postgres

_log = structlog.get_logger()

_FIRST = UUID(int=0)


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
        """Fan-outs first: nobody must write another recipient of a day that is going."""
        days = await self.store.expired_days()
        if days:
            await self._sweep(Swept.FANOUTS, now, stop)
        for day in days:
            if not stop.is_set():
                await self._end_day(day, now, stop)

    async def _sweep_all(self, now: datetime, stop: asyncio.Event) -> None:
        for swept in Swept:
            await self._sweep(swept, now, stop)

    async def _end_day(self, day: date, now: datetime, stop: asyncio.Event) -> None:
        unfinished = await self._end_unfinished(day, now, stop)
        expired = await self._tell_expired(day, now, stop)
        failpoint("retention.before_drop")
        for table in policy.DROP_ORDER:
            if stop.is_set():
                return
            if await self.store.drop_partition(table, day):
                self.metrics.dropped_partitions.labels(table).inc()
        _log.info("day_expired", day=day.isoformat(), notifications=expired, unfinished=unfinished)

    async def _end_unfinished(self, day: date, now: datetime, stop: asyncio.Event) -> int:
        most, ended = self.settings.retention_batch, 0
        while not stop.is_set():
            async with postgres.transaction(self.store.pool) as connection:
                unfinished = await store.end_unfinished(connection, day, most)
                await self._tell_unfinished(unfinished, now)
            ended += len(unfinished)
            if len(unfinished) < most:
                break
        return ended

    async def _tell_unfinished(self, unfinished: Sequence[Unfinished], now: datetime) -> None:
        await self.producer.send_all(policy.unfinished_events(unfinished, now))
        self.metrics.dropped.labels("retention", Reason.EXPIRED).inc(len(unfinished))

    async def _tell_expired(self, day: date, now: datetime, stop: asyncio.Event) -> int:
        most, told, after = self.settings.retention_batch, 0, _FIRST
        while not stop.is_set():
            expired = await self.store.expired(day, after, most)
            await self.producer.send_all(policy.expired_events(expired, now))
            self.metrics.expired.inc(len(expired))
            told += len(expired)
            if len(expired) < most:
                break
            after = expired[-1].id
        return told

    async def _remove_undated(self, now: datetime, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if await self._remove_batch(now) < self.settings.retention_batch:
                return

    async def _remove_batch(self, now: datetime) -> int:
        async with postgres.transaction(self.store.pool) as connection:
            removable = await store_infinity.removable(connection, self.settings.retention_batch)
            if removable:
                ids = [expired.id for expired, _ in removable]
                await self._tell_unfinished(await store_infinity.unfinished_of(connection, ids), now)
                told = [expired for expired, is_told in removable if is_told]
                await self.producer.send_all(policy.expired_events(told, now))
                self.metrics.expired.inc(len(told))
                await store_infinity.remove(connection, ids)
        return len(removable)

    async def _sweep(self, swept: Swept, now: datetime, stop: asyncio.Event) -> None:
        old, sweeps = policy.cutoffs(now), Sweeps(self.store.pool)
        while not stop.is_set():
            removed = await sweeps.remove(swept, old, self.settings.retention_batch)
            self.metrics.swept.labels(swept).inc(removed)
            if removed < self.settings.retention_batch:
                return
