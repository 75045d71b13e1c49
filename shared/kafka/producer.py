"""Sending records so that `sent` means acknowledged by every in-sync replica."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import PermanentError, TransientError, UnacknowledgedError
from shared.kafka.partitions import partition_of
from shared.runtime import lifecycle
from shared.runtime.settings import KafkaSettings

_log = structlog.get_logger()

_LARGEST_REQUEST_BYTES = 8 * 1024 * 1024
_CLOSE_SECONDS = 5.0
_WORTH_BATCHES = 16
"""Fewer records than this are sent singly; the client batches them by time."""
_LARGEST_IN_BATCH_BYTES = 64 * 1024
"""Larger records are sent singly, where the client checks their size."""


class Producer:
    """Sends records and waits until they are acknowledged.

    Idempotence is off: an idempotent producer never gives up a batch and its sender dies on an out-of-order
    sequence; repeats are removed by ids downstream. A send whose wait ran out may still have happened.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: Any = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap,
            acks="all",
            enable_idempotence=False,
            linger_ms=2,
            max_batch_size=256 * 1024,
            max_request_size=_LARGEST_REQUEST_BYTES,
            request_timeout_ms=int(settings.produce_timeout_seconds * 1000),
            retry_backoff_ms=100,
        )

    async def start(self) -> None:
        """Connect; raises TransientError while no broker answers."""
        try:
            await self._client.start()
        except KafkaError as error:
            raise TransientError(f"Kafka: {type(error).__name__}", Reason.KAFKA_UNAVAILABLE) from error

    async def stop(self) -> None:
        """Flush and close; may hang when the brokers are gone, so callers bound it."""
        await self._client.stop()

    async def send(self, record: Record) -> None:
        """Send one record and wait for its acknowledgement; errors as `send_all`."""
        await self.send_all([record])

    async def send_all(self, records: Sequence[Record]) -> None:
        """Send records and wait until every one is acknowledged.

        Raises:
            UnacknowledgedError: not acknowledged in time; some may have been written all the same.
            PermanentError: a record is larger than Kafka takes.
        """
        if not records:
            return
        waiting: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._settings.produce_timeout_seconds):
                await self._enqueue(records, waiting)
                await asyncio.gather(*waiting)
        except TimeoutError as error:
            raise UnacknowledgedError("Kafka did not acknowledge in time", Reason.KAFKA_UNAVAILABLE) from error
        except MessageSizeTooLargeError as error:
            raise PermanentError("the record is larger than Kafka takes", Reason.TOO_LARGE) from error
        except KafkaError as error:
            raise UnacknowledgedError(f"Kafka: {type(error).__name__}", Reason.KAFKA_UNAVAILABLE) from error
        finally:
            for future in waiting:
                future.add_done_callback(_retrieved)

    async def _enqueue(self, records: Sequence[Record], waiting: list[asyncio.Future[Any]]) -> None:
        """Hand records to the client; each handing over may wait for room."""
        small: list[Record] = []
        for record in records:
            if len(records) >= _WORTH_BATCHES and len(record.value or b"") <= _LARGEST_IN_BATCH_BYTES:
                small.append(record)
            else:
                waiting.append(await self._enqueued(record))
        for (topic, partition), batch in await self._batches(small):
            waiting.append(await self._client.send_batch(batch, topic, partition=partition))

    async def _batches(self, records: Sequence[Record]) -> list[tuple[tuple[str, int], Any]]:
        """Records as the client's batches, built here: a future and a look for the partition each would cost more."""
        partitions: dict[str, list[int]] = {}
        filling: dict[tuple[str, int], Any] = {}
        batches: list[tuple[tuple[str, int], Any]] = []
        for record in records:
            if record.topic not in partitions:
                partitions[record.topic] = sorted(await self._client.partitions_for(self._settings.topic(record.topic)))
            place = record.topic, partition_of(record.key, partitions[record.topic])
            if place not in filling or not _appended(filling[place], record):
                batch = filling[place] = self._client.create_batch()
                _appended(batch, record)
                batches.append(((self._settings.topic(record.topic), place[1]), batch))
        return batches

    async def _enqueued(self, record: Record) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = await self._client.send(
            self._settings.topic(record.topic), record.value, key=record.key, headers=list(record.headers)
        )
        return future


@asynccontextmanager
async def open_producer(settings: KafkaSettings) -> AsyncIterator[Producer]:
    """A started producer; its close is bounded, since brokers that are gone would hold it for ever."""
    producer = Producer(settings)
    async with lifecycle.bounded(producer.stop, _CLOSE_SECONDS, "producer"):
        await producer.start()
        yield producer


def _appended(batch: Any, record: Record) -> bool:
    """Whether a record had room in a batch; in a new one it always has."""
    headers = list(record.headers)
    return batch.append(timestamp=None, key=record.key, value=record.value, headers=headers) is not None


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Look at the outcome nobody waits for any more, so that asyncio does not complain about it."""
    if not future.cancelled():
        future.exception()
