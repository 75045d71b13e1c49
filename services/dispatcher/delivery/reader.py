"""Records to claims: read a batch, understand it, claim it, commit its offset at once."""

import asyncio

import structlog

from services.dispatcher.delivery import claims
from services.dispatcher.delivery.claim_store import Claimed, ClaimStore, Slot
from services.dispatcher.delivery.claims import Arrived, Asked
from services.dispatcher.delivery.pulse import Pulse
from shared.contract import topics
from shared.contract.records import Record
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.kafka.consumer import Batch, Consumer
from shared.retry import Backoff
from shared.runtime import lifecycle
from shared.runtime.setbacks import Setbacks

_log = structlog.get_logger()

_BACKOFF = Backoff(first_seconds=0.1, longest_seconds=5.0)


class Reader:
    """Reads one lane's deliveries.

    A claim is durable, so the offset is committed behind it and before anything is sent: a destination that hangs
    must not hold the partition.
    """

    def __init__(self, slot: Slot, consumer: Consumer, store: ClaimStore, pulse: Pulse) -> None:
        self._slot = slot
        self._pulse = pulse
        self._topic = topics.deliveries(slot.channel, slot.lane)
        self._consumer = consumer
        self._store = store

    async def claimed(self, stop: asyncio.Event) -> Claimed | None:
        """What the next batch came to; None where none came soon, or `stop` was set before it was claimed."""
        try:
            batch = await self._consumer.batch()
        except TransientError as error:
            _log.warning("fetch_failed", group=self._slot.group, error=str(error))
            await lifecycle.pause(stop, error.retry_after_seconds or 1.0)
            return None
        if not batch.records:
            return None
        claimed = await self._claim(self._understood(batch), stop)
        if claimed is not None:
            failpoint("dispatcher.delivery.after_claim")
            await self._consumer.commit(batch.positions)
            failpoint("dispatcher.delivery.after_commit")
        return claimed

    def _understood(self, batch: Batch) -> Asked:
        arrived = (
            Arrived(Record(self._topic, record.key, record.value, record.headers), (record.partition, record.offset))
            for record in batch.records
        )
        positions = [(position.topic, position.partition, position.offset) for position in batch.positions]
        return claims.asked(arrived, self._slot.channel, positions)

    async def _claim(self, asked: Asked, stop: asyncio.Event) -> Claimed | None:
        """Claim, however long PostgreSQL is away; a batch not claimed at `stop` comes again to whoever reads next."""
        setbacks = Setbacks(_BACKOFF, "claim_will_be_repeated", group=self._slot.group)
        while True:
            self._pulse.beat()
            try:
                failpoint("dispatcher.delivery.before_claim")
                return await self._store.claim(asked)
            except TransientError as error:
                if await lifecycle.pause(stop, setbacks.wait_seconds(error)):
                    return None
