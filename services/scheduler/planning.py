"""`notifications.scheduled` to rows that wait for their time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from aiokafka import ConsumerRecord

from services.scheduler.metrics import Metrics
from services.scheduler.store import schedules
from shared.contract import codec, records, topics
from shared.contract.messages import NotificationScheduled
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.failpoint import failpoint
from shared.kafka.consumer import Batch
from shared.kafka.producer import Producer
from shared.postgres import dead_letters, positions
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Pool, transaction

_log = structlog.get_logger()

GROUP = "scheduler"

Read = Sequence[tuple[str, int, int]]
"""Topic, partition and the next offset to read."""

_UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


@dataclass(frozen=True, slots=True)
class Readable:
    """A record and the message it holds."""

    record: "ConsumerRecord[bytes, bytes]"
    message: NotificationScheduled

    def buried(self, reason: Reason, detail: str) -> DeadLetter:
        """The record as a dead letter of its tenant."""
        return _letter(self.record, self.message.tenant, reason, detail)


def sorted_out(batch: Batch) -> tuple[list[Readable], list[DeadLetter]]:
    """The messages of a batch, and dead letters of what is none."""
    readable: list[Readable] = []
    poison: list[DeadLetter] = []
    for record in batch.records:
        try:
            readable.append(Readable(record, codec.decoded(record.value, NotificationScheduled)))
        except codec.UndecodableError as error:
            poison.append(_letter(record, "", Reason.UNDECODABLE, str(error)))
    return readable, poison


def _letter(record: "ConsumerRecord[bytes, bytes]", tenant: str, reason: Reason, detail: str) -> DeadLetter:
    original = Record(topics.SCHEDULED, record.key, record.value, record.headers)
    return dead_letters.of_record(original, (record.partition, record.offset), tenant, reason, detail)


def event_of(scheduled: NotificationScheduled) -> Record:
    """The event that a notification waits; said at the time it was accepted, so that a repeat is the same."""
    detail: dict[str, Any] = {"schedule_id": scheduled.schedule_id, "due_at": scheduled.due_at.isoformat()}
    notification = scheduled.notification
    return records.event("scheduled", scheduled.tenant, notification.notification_id, notification.accepted_at, detail)


class Planning:
    """Stores what is scheduled, once, with the position it was read at."""

    def __init__(self, pool: Pool, producer: Producer, metrics: Metrics) -> None:
        self._pool = pool
        self._producer = producer
        self._metrics = metrics

    async def store(self, batch: Batch) -> None:
        """Make a batch durable; raises TransientError when it must come again."""
        readable, poison = sorted_out(batch)
        read = [(position.topic, position.partition, position.offset) for position in batch.positions]
        try:
            await self._write([each.message for each in readable], poison, read)
        except _UNSTORABLE:
            readable, refused = await self._singly(readable)
            poison += refused
            await self._write([], poison, read)
        failpoint("scheduler.after_store")
        events = [event_of(each.message) for each in readable]
        await self._producer.send_all([*events, *(letter.record() for letter in poison)])
        for letter in poison:
            self._metrics.dead_letters.labels(letter.reason).inc()
        _log.info("schedules_stored", count=len(readable), dead_letters=len(poison))

    async def _write(
        self, scheduled: Sequence[NotificationScheduled], poison: Sequence[DeadLetter], read: Read
    ) -> None:
        async with transaction(self._pool) as connection:
            await schedules.add(connection, scheduled)
            await dead_letters.bury(connection, poison)
            await positions.write(connection, GROUP, read)

    async def _singly(self, readable: Sequence[Readable]) -> tuple[list[Readable], list[DeadLetter]]:
        """Store one by one and find what PostgreSQL refuses: that is poison although it can be read."""
        stored: list[Readable] = []
        refused: list[DeadLetter] = []
        for each in readable:
            try:
                await self._write([each.message], (), ())
                stored.append(each)
            except _UNSTORABLE as error:
                refused.append(each.buried(Reason.INVALID, f"PostgreSQL: {type(error).__name__}"))
        return stored, refused
