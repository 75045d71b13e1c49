"""Events and dead letters on their way to Kafka, after the transaction that kept them in the outbox."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from services.dispatcher.delivery.outcome_store import OutcomeStore
from shared.contract.records import Record
from shared.errors import PermanentError, TransientError
from shared.failpoint import failpoint
from shared.kafka.producer import Producer

_log = structlog.get_logger()

_MOST_WAITING = 100
"""Outbox rows kept in memory; beyond it, as while Kafka is away, the scheduler drains them from the table."""


class Publisher:
    """Produces what outbox rows hold and deletes the rows once Kafka has it; never waits for Kafka to come back."""

    def __init__(self, producer: Producer, store: OutcomeStore) -> None:
        self._producer = producer
        self._store = store
        self._waiting: deque[tuple[int, Sequence[Record]]] = deque(maxlen=_MOST_WAITING)
        self._news = asyncio.Event()
        self._closing = False
        self._said = ""

    def add(self, outbox_id: int | None, records: Sequence[Record]) -> None:
        """Send these records soon; None: there is nothing to send."""
        if outbox_id is not None:
            self._waiting.append((outbox_id, records))
            self._news.set()

    def close(self) -> None:
        """Let `publish` return once nothing waits."""
        self._closing = True
        self._news.set()

    async def publish(self) -> None:
        """Send what is added until closed."""
        while self._waiting or not self._closing:
            await self._news.wait()
            self._news.clear()
            if self._waiting:
                rows = list(self._waiting)
                self._waiting.clear()
                await self._sent([number for number, _ in rows], [record for _, records in rows for record in records])
            if self._closing:
                self._news.set()

    async def _sent(self, outbox_ids: Sequence[int], records: Sequence[Record]) -> None:
        try:
            await self._producer.send_all(records)
            failpoint("dispatcher.delivery.after_events")
            await self._store.forget(outbox_ids)
        except (TransientError, PermanentError) as error:
            if str(error) != self._said:
                _log.warning("events_left_to_the_scheduler", reason=error.reason, error=str(error))
            self._said = str(error)
        else:
            self._said = ""
