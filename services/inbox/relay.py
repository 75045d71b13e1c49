"""What recipients changed is told at once: rows of the outbox are produced by who wrote them.

The API works without Kafka. What cannot be told now stays in the outbox, which the scheduler drains.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from services.inbox.metrics import Metrics
from shared.contract.records import Record
from shared.errors import TocsinError
from shared.kafka.producer import Producer, open_producer
from shared.postgres import outbox
from shared.postgres.pool import Pool, transaction
from shared.runtime import lifecycle, startup
from shared.runtime.settings import KafkaSettings

_log = structlog.get_logger()

_MOST_WAITING = 1_000
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """A row of the outbox that has just been committed, and its records."""

    outbox_id: int
    records: Sequence[Record]


class Relay:
    """Produces what was just committed, in order, and then deletes it."""

    def __init__(self, pool: Pool, settings: KafkaSettings, metrics: Metrics) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._waiting: asyncio.Queue[Told] = asyncio.Queue(_MOST_WAITING)

    def tell(self, told: Told) -> None:
        """Have a row produced soon; never waits."""
        try:
            self._waiting.put_nowait(told)
        except asyncio.QueueFull:
            self._metrics.relay_full.inc()

    async def run(self, stop: asyncio.Event) -> None:
        """Produce until told to stop; what waits then is left to the scheduler's sweep."""
        async with AsyncExitStack() as stack:
            try:
                producer = await startup.until_it_answers(
                    lambda: stack.enter_async_context(open_producer(self._settings)), stop, "Kafka"
                )
            except lifecycle.StopAskedError:
                return
            while not stop.is_set():
                await self._next(producer)

    async def _next(self, producer: Producer) -> None:
        try:
            told = await asyncio.wait_for(self._waiting.get(), _LOOK_SECONDS)
        except TimeoutError:
            return
        try:
            await producer.send_all(told.records)
            async with transaction(self._pool) as connection:
                await outbox.forget(connection, [told.outbox_id])
        except TocsinError as error:
            _log.warning("change_left_to_the_sweep", reason=error.reason, error=str(error))
