"""What intake planned and handed over but no sink ever claimed is produced again: the last net below Kafka.

Offsets bring a record again after any crash, so nothing should fall this far; a topic that lost records does it. An
item counts as lost when its lane's sinks have consumed all they were handed until `reconcile_age_seconds` after it was
made, and a planned delivery of it has no row. Every item is looked at once: the mark up to where moves on only after
its slice was looked at whole, and only as far as that, since what still waits in Kafka is not lost.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from services.scheduler.consumption import Consumption
from services.scheduler.metrics import Kind, Metrics
from services.scheduler.settings import Settings
from services.scheduler.store import deliveries, planned, retries
from services.scheduler.store.planned import PlannedItem
from shared.contract import records, topics
from shared.contract.importance import Lane
from shared.contract.messages import DeliveryRequested
from shared.kafka.producer import Producer
from shared.postgres.pool import Connection, Pool, transaction

_log = structlog.get_logger()

_SHORTEST_SLICE = timedelta(seconds=10)
_LONGEST_SLICE = timedelta(hours=1)


class Unclaimed:
    """Looks through the items of one lane, a slice of time after the other."""

    def __init__(
        self, pool: Pool, producer: Producer, consumption: Consumption, metrics: Metrics, settings: Settings
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._consumption = consumption
        self._metrics = metrics
        self._settings = settings
        self._slices = dict.fromkeys(Lane, _SHORTEST_SLICE)

    async def sweep(self) -> bool:
        """One slice of every lane; True while one of them has another."""
        behind = False
        for lane in Lane:
            behind |= await self._lane(lane)
        return behind

    async def _lane(self, lane: Lane) -> bool:
        async with transaction(self._pool, within_seconds=None) as connection:  # a slice may be any number of batches
            mark = await planned.lock_mark(connection, lane)
            horizon = await planned.horizon(connection, self._settings.reconcile_age_seconds)
            if mark is None or mark >= horizon:
                return False
            limit = await self._consumed(lane, horizon)
            if limit is None or mark >= limit:
                return False
            until = min(limit, mark + self._slices[lane])
            seen = await self._slice(connection, lane, mark, until)
            await planned.write_mark(connection, lane, until)
        # Empty stretches are crossed in growing steps, so that a scheduler that was away for days catches up.
        self._slices[lane] = _SHORTEST_SLICE if seen else min(_LONGEST_SLICE, self._slices[lane] * 2)
        return until < limit

    async def _consumed(self, lane: Lane, horizon: datetime) -> datetime | None:
        """Up to when items of the lane were made whose deliveries its sinks must have seen; `horizon` at the latest."""
        age = timedelta(seconds=self._settings.reconcile_age_seconds)
        marks = [
            await self._consumption.until(way.group, topics.deliveries(way.channel, way.lane), horizon + age)
            for way in retries.WAYS
            if way.lane is lane
        ]
        known = [mark for mark in marks if mark is not None]
        return min(known) - age if len(known) == len(marks) else None

    async def _slice(self, connection: Connection, lane: Lane, after: datetime, until: datetime) -> int:
        seen = 0
        async for items in planned.between(connection, lane, after, until, self._settings.release_batch):
            seen += len(items)
            lost = await self._lost(connection, items)
            if lost:
                await self._producer.send_all([records.delivery(request) for request in lost])
                self._metrics.released.labels(Kind.UNCLAIMED).inc(len(lost))
                _log.error("deliveries_were_never_claimed", lane=lane, count=len(lost))
        return seen

    async def _lost(self, connection: Connection, items: Sequence[PlannedItem]) -> list[DeliveryRequested]:
        now = datetime.now(UTC)
        wanted = [request for item in items for request in item.requests(now)]
        known = await deliveries.known(connection, wanted)
        return [request for request in wanted if request.id not in known]
