"""Outbox rows whose writer did not produce them: produced here, then deleted."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from services.scheduler.metrics import Kind, Metrics
from services.scheduler.settings import Settings
from services.scheduler.store import outbox as old_rows
from services.scheduler.store.outbox import OldRow
from shared.contract import ids
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import PermanentError
from shared.failpoint import failpoint
from shared.kafka.producer import Producer
from shared.postgres import dead_letters, outbox
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Connection, Pool, transaction

_log = structlog.get_logger()


class Drain:
    """Produces old rows of the outbox. Rows stay locked meanwhile, so that no replica produces them too."""

    def __init__(self, pool: Pool, producer: Producer, metrics: Metrics, settings: Settings) -> None:
        self._pool = pool
        self._producer = producer
        self._metrics = metrics
        self._age_seconds = settings.outbox_age_seconds
        self._batch = max(1, settings.release_batch // 10)  # a row holds the records of a whole batch

    async def sweep(self) -> bool:
        """One batch of old rows; True when it was full."""
        async with transaction(self._pool) as connection:
            rows = await old_rows.older_than(connection, self._age_seconds, self._batch)
            if not rows:
                return False
            await self._produce(connection, rows)
            failpoint("scheduler.before_delete")
            await outbox.forget(connection, [row.id for row in rows])
        count = sum(len(row.records) for row in rows)
        self._metrics.released.labels(Kind.OUTBOX).inc(count)
        _log.info("outbox_drained", rows=len(rows), count=count)
        return len(rows) == self._batch

    async def _produce(self, connection: Connection, rows: Sequence[OldRow]) -> None:
        every = [record for row in rows for record in row.records]
        try:
            await self._producer.send_all(every)
        except PermanentError:
            await self._singly(connection, every)

    async def _singly(self, connection: Connection, every: Sequence[Record]) -> None:
        """One record of these will never be taken: bury it instead of the whole batch. Others may be sent twice."""
        for record in every:
            try:
                await self._producer.send(record)
            except PermanentError as error:
                await dead_letters.bury(connection, [_letter(record, ids.fresh(), error)])
                self._metrics.dead_letters.labels(error.reason).inc()
                _log.error("outbox_record_buried", topic=record.topic, reason=error.reason)


def _letter(record: Record, letter: UUID, error: PermanentError) -> DeadLetter:
    return DeadLetter("", letter, Reason(error.reason), str(error), record)
