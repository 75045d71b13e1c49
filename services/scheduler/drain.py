"""Outbox rows whose writer did not produce them: produced here, then deleted."""

from collections.abc import Sequence
from time import monotonic
from uuid import UUID

import structlog

from services.scheduler.metrics import Kind, Metrics
from services.scheduler.settings import Settings
from services.scheduler.store import outbox as old_rows
from services.scheduler.store.outbox import OldRow
from shared.contract import ids
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import PermanentError, TransientError
from shared.failpoint import failpoint
from shared.kafka.producer import Producer
from shared.portions import portions
from shared.postgres import dead_letters, outbox
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Connection, Pool, transaction

_log = structlog.get_logger()


_ROWS_AT_ONCE = 50
_BYTES_AT_ONCE = 8 * 1024 * 1024
_RECORDS_IN_SLICE = 500
_BYTES_IN_SLICE = 1024 * 1024
"""A slice has the producer's time-out to itself: a broker that is slow after an outage gets through it."""

_LONGEST_SECONDS = 10.0
"""How long slices are begun within one transaction, well before it is ended for its length."""


def _bytes_of(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"")


def left_of(rows: Sequence[OldRow], sent: int) -> tuple[list[int], OldRow | None]:
    """After the first `sent` records of rows: the ids of rows that are done, and what is left of one that was begun."""
    done: list[int] = []
    for row in rows:
        if sent < len(row.records):
            return done, OldRow(row.id, row.records[sent:]) if sent else None
        done.append(row.id)
        sent -= len(row.records)
    return done, None


class Drain:
    """Produces old rows of the outbox. Rows stay locked meanwhile, so that no replica produces them too."""

    def __init__(self, pool: Pool, producer: Producer, metrics: Metrics, settings: Settings) -> None:
        self._pool = pool
        self._producer = producer
        self._metrics = metrics
        self._age_seconds = settings.outbox_age_seconds

    async def sweep(self) -> bool:
        """One batch of old rows; True while there may be more. What was acknowledged is forgotten in any case.

        Raises:
            TransientError: PostgreSQL is away, or Kafka did not acknowledge all of it.
        """
        async with transaction(self._pool) as connection:
            rows = await old_rows.older_than(connection, self._age_seconds, _ROWS_AT_ONCE, _BYTES_AT_ONCE)
            if not rows:
                return False
            sent, setback = await self._sent(connection, [record for row in rows for record in row.records])
            done, begun = left_of(rows, sent)
            failpoint("scheduler.before_delete")
            await outbox.forget(connection, done)
            if begun is not None:
                await old_rows.keep(connection, begun)
        self._metrics.released.labels(Kind.OUTBOX).inc(sent)
        _log.info("outbox_drained", rows=len(done), count=sent)
        if setback is not None:
            raise setback
        return True

    async def _sent(self, connection: Connection, every: Sequence[Record]) -> tuple[int, TransientError | None]:
        """How many of the records, from the first, were acknowledged; and why the next were not, if they failed."""
        sent, last = 0, monotonic() + _LONGEST_SECONDS
        for part in portions(every, _bytes_of, _BYTES_IN_SLICE, _RECORDS_IN_SLICE):
            if monotonic() > last:
                break
            try:
                await self._produce(connection, part)
            except TransientError as error:
                return sent, error
            sent += len(part)
        return sent, None

    async def _produce(self, connection: Connection, part: Sequence[Record]) -> None:
        try:
            await self._producer.send_all(part)
        except PermanentError:
            async with connection.transaction():  # undone where it comes again
                await self._singly(connection, part)

    async def _singly(self, connection: Connection, every: Sequence[Record]) -> None:
        """One record of these will never be taken: bury it instead of the whole slice. Others may be sent twice."""
        for record in every:
            try:
                await self._producer.send(record)
            except PermanentError as error:
                await dead_letters.bury(connection, [_letter(record, ids.fresh(), error)])
                self._metrics.dead_letters.labels(error.reason).inc()
                _log.error("outbox_record_buried", topic=record.topic, reason=error.reason)


def _letter(record: Record, letter: UUID, error: PermanentError) -> DeadLetter:
    return DeadLetter("", letter, Reason(error.reason), str(error), record)
