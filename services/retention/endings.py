"""What is told before records go: every delivery that was meant ends with an event, and so does every notification.

All of it may be told again after a crash; the ids of events are derived from what they tell.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.retention import policy, store_planned
from services.retention.metrics import Metrics
from services.retention.policy import Expired, Planned, Unfinished
from services.retention.store import Store
from shared.contract.outcomes import Reason
from shared.kafka.producer import Producer
from shared.postgres import pool as postgres
from shared.postgres.pool import Connection

_FIRST = UUID(int=0)

EndSome = Callable[[Connection], Awaitable[list[Unfinished]]]
"""Ends a batch of deliveries at most; a short one was the last."""

ReadPlanned = Callable[[Connection], AsyncIterator[list[Planned]]]


@dataclass(frozen=True, slots=True)
class Endings:
    """Tells in batches, and stops between two; raises TransientError when PostgreSQL or Kafka is away."""

    store: Store
    producer: Producer
    metrics: Metrics
    batch: int

    async def unfinished(self, end_some: EndSome, now: datetime, stop: asyncio.Event) -> int:
        """End the deliveries that are under way; returns how many it were."""
        ended = 0
        while not stop.is_set():
            async with postgres.transaction(self.store.pool) as connection:
                unfinished = await end_some(connection)
                await self._tell(unfinished, now)
            ended += len(unfinished)
            if len(unfinished) < self.batch:
                break
        return ended

    async def never_begun(self, read: ReadPlanned, day: date, now: datetime, stop: asyncio.Event) -> int:
        """Tell the end of deliveries that were meant and have no row; returns how many it were.

        `day` is where their rows would be, `date.max` for the partition 'infinity'. One that begins meanwhile is past
        its end too, and tells the same.
        """
        told = 0
        # However many they are: each batch has the bounds of its statements and of Kafka.
        async with postgres.transaction(self.store.pool, within_seconds=None) as connection:
            async for planned in read(connection):
                meant = list(policy.never_begun(planned))
                begun = await store_planned.begun(connection, day, [each.id for each in meant])
                missing = [each for each in meant if each.id not in begun]
                await self._tell(missing, now)
                told += len(missing)
                if stop.is_set():
                    break
        return told

    async def expired_of_day(self, day: date, now: datetime, stop: asyncio.Event) -> int:
        """Tell the end of a day's notifications; returns how many it were."""
        told, after = 0, _FIRST
        while not stop.is_set():
            expired = await self.store.expired(day, after, self.batch)
            await self.expired(expired, now)
            told += len(expired)
            if len(expired) < self.batch:
                break
            after = expired[-1].id
        return told

    async def expired(self, expired: Sequence[Expired], now: datetime) -> None:
        """Tell the end of notifications."""
        await self.producer.send_all(policy.expired_events(expired, now))
        self.metrics.expired.inc(len(expired))

    async def _tell(self, unfinished: Sequence[Unfinished], now: datetime) -> None:
        await self.producer.send_all(policy.unfinished_events(unfinished, now))
        self.metrics.dropped.labels("retention", Reason.EXPIRED).inc(len(unfinished))
