"""Reading records in batches, with the offset committed only behind durable work."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.kafka import fetching, tolerance
from shared.retry import Backoff
from shared.runtime import lifecycle
from shared.runtime.setbacks import Setbacks
from shared.runtime.settings import KafkaSettings

_log = structlog.get_logger()

_CLOSE_SECONDS = 5.0
_COMMIT_SECONDS = 5.0
_LATELY_SECONDS = 5.0
_LONGEST_OUTAGE_MS = 24 * 3_600_000
"""A batch is tried until PostgreSQL is back; the group must not be left meanwhile for being slow to poll."""

_BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to read of a partition; `topic` is the contract's name, without prefix."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of their partitions, and the positions to commit once they are durable."""

    records: Sequence["ConsumerRecord[bytes, bytes]"]
    positions: Sequence[Position]


class Consumer:
    """A member of a consumer group that reads batches and commits when told."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str], max_records: int) -> None:
        """Args: `group` and `topics` are the contract's names; `max_records` bounds a batch."""
        self._settings = settings
        self.group = group
        self._max_records = max_records
        self._watched: dict[TopicPartition, tuple[int, float]] = {}
        self._asked_at = time.monotonic()
        tolerance.install()
        fetching.install()
        self._client: Any = AIOKafkaConsumer(
            *(settings.topic(topic) for topic in topics),
            bootstrap_servers=settings.kafka_bootstrap,
            group_id=settings.group(group),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(settings.heartbeat_seconds * 1000),
            max_poll_interval_ms=_LONGEST_OUTAGE_MS,
        )

    async def start(self) -> None:
        """Join the group; raises TransientError while no broker answers."""
        try:
            await self._client.start()
        except KafkaError as error:
            raise TransientError(f"Kafka: {type(error).__name__}", Reason.KAFKA_UNAVAILABLE) from error

    async def stop(self) -> None:
        """Leave the group; may hang when the brokers are gone, so callers bound it."""
        await self._client.stop()

    async def batch(self, wait_seconds: float = 0.5) -> Batch:
        """The next records, at most `max_records`; empty when none came within `wait_seconds`."""
        try:
            by_partition = await self._client.getmany(
                timeout_ms=int(wait_seconds * 1000), max_records=self._max_records
            )
        except KafkaError as error:
            raise TransientError(f"Kafka: {type(error).__name__}", Reason.KAFKA_UNAVAILABLE) from error
        self._asked_at = time.monotonic()
        cut = len(self._settings.topic_prefix)
        return Batch(
            [record for records in by_partition.values() for record in records],
            [
                Position(partition.topic[cut:], partition.partition, records[-1].offset + 1)
                for partition, records in by_partition.items()
            ],
        )

    async def commit(self, positions: Sequence[Position]) -> None:
        """Commit what is durable. A commit that fails is only logged: the records come again and are recognised."""
        offsets = {
            TopicPartition(self._settings.topic(position.topic), position.partition): position.offset
            for position in positions
        }
        try:
            await asyncio.wait_for(self._client.commit(offsets), _COMMIT_SECONDS)
        except (CommitFailedError, IllegalStateError, KafkaError, TimeoutError) as error:
            _log.warning("commit_failed", group=self.group, error=type(error).__name__)

    def lag(self) -> int:
        """Records known to be ahead of this member's partitions; only what fetches have told so far."""
        total = 0
        for partition in self._client.assignment():
            highwater = self._client.highwater(partition)
            position = self._fetched(partition)
            if highwater is not None and position is not None:
                total += max(0, highwater - position)
        return total

    async def stalled(self, now_seconds: float) -> str | None:
        """A sentence when a partition has lag but its position has not moved for `stall_seconds`, else None.

        A consumer can stop fetching silently after a broker's restart; only a new process mends that. A reader that
        has not asked for records lately is no such case: it waits for PostgreSQL, or for room. `now_seconds` is of
        `time.monotonic`.
        """
        if now_seconds - self._asked_at > _LATELY_SECONDS:
            self._watched.clear()
            return None
        assigned = self._client.assignment()
        # What comes back after a rebalance begins anew: while it was another's, nobody here could move it.
        self._watched = {partition: seen for partition, seen in self._watched.items() if partition in assigned}
        for partition in assigned:
            position = self._fetched(partition)
            if position is None:
                continue
            behind = (self._client.highwater(partition) or 0) > position
            seen, since = self._watched.get(partition, (-1, now_seconds))
            if not behind or seen != position:
                self._watched[partition] = (position, now_seconds)
            elif now_seconds - since > self._settings.stall_seconds:
                return f"{partition.topic}/{partition.partition} has not moved from {position}"
        return None

    def _fetched(self, partition: TopicPartition) -> int | None:
        """The offset handed out next, without a wait for one that is not known yet."""
        assignment = self._client._subscription.subscription.assignment  # noqa: SLF001 - position() may block
        state = assignment.state_value(partition) if assignment is not None else None
        return state.position if state is not None and state.has_valid_position else None


@asynccontextmanager
async def open_consumer(
    settings: KafkaSettings, group: str, topics: Sequence[str], max_records: int
) -> AsyncIterator[Consumer]:
    """A started consumer; its close is bounded."""
    consumer = Consumer(settings, group, topics, max_records)
    async with lifecycle.bounded(consumer.stop, _CLOSE_SECONDS, f"consumer {group}"):
        await consumer.start()
        yield consumer


async def consume(consumer: Consumer, work: Callable[[Batch], Awaitable[None]], stop: asyncio.Event) -> None:
    """Feed batches to `work` until `stop`; commit each once `work` returned, repeat it while it raises TransientError.

    A batch not finished when `stop` is set is left uncommitted and comes again to whoever reads next.
    """
    while not stop.is_set():
        batch = await _next_batch(consumer, stop)
        if batch.records and await _finished(batch, work, stop, consumer.group):
            await consumer.commit(batch.positions)


async def _next_batch(consumer: Consumer, stop: asyncio.Event) -> Batch:
    try:
        return await consumer.batch()
    except TransientError as error:
        _log.warning("fetch_failed", group=consumer.group, error=str(error))
        await lifecycle.pause(stop, error.retry_after_seconds or 1.0)
        return Batch((), ())


async def _finished(batch: Batch, work: Callable[[Batch], Awaitable[None]], stop: asyncio.Event, group: str) -> bool:
    setbacks = Setbacks(_BACKOFF, "batch_will_be_repeated", group=group)
    while True:
        try:
            await work(batch)
        except TransientError as error:
            if await lifecycle.pause(stop, setbacks.wait_seconds(error)):
                return False
        else:
            return True
