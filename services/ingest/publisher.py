"""The producer of both doors, which may not be there yet: the doors answer while Kafka is still away."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import TransientError
from shared.kafka.producer import Producer, open_producer
from shared.runtime import lifecycle, startup
from shared.runtime.settings import KafkaSettings


class Publisher:
    """Sends records once Kafka has answered for the first time; until then every send is a TransientError."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lives = AsyncExitStack()
        self._producer: Producer | None = None

    async def connect(self, stop: asyncio.Event) -> None:
        """Loop: try until Kafka answers; from then on the client reconnects by itself."""
        try:
            self._producer = await startup.until_it_answers(
                lambda: self._lives.enter_async_context(open_producer(self._settings)), stop, "Kafka"
            )
        except lifecycle.StopAskedError:
            return

    async def close(self) -> None:
        """Flush and close, within the producer's own bound."""
        await self._lives.aclose()

    async def connected(self) -> str | None:
        """A readiness check: whether Kafka has answered at all."""
        return None if self._producer else "waiting for Kafka"

    async def send_all(self, records: Sequence[Record]) -> None:
        """Send records and wait until every one is acknowledged; errors as `Producer.send_all`."""
        if self._producer is None:
            raise TransientError("Kafka has not answered yet", Reason.KAFKA_UNAVAILABLE)
        await self._producer.send_all(records)
