"""How much a consumer group has still to read, seen from outside the group."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.runtime import lifecycle
from shared.runtime.settings import KafkaSettings

_CLOSE_SECONDS = 5.0
_ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one partition: the offset a group reads next, and the one written next."""

    read: int
    end: int


class LagReader:
    """Asks the brokers for committed and end offsets; belongs to no group itself."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin: Any = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        self._client: Any = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, group_id=None)

    async def start(self) -> None:
        """Connect; raises TransientError while no broker answers."""
        try:
            await self._admin.start()
            await self._client.start()
        except KafkaError as error:
            raise _away(error) from error

    async def stop(self) -> None:
        """Disconnect; may hang when the brokers are gone, so callers bound it."""
        await self._admin.close()
        await self._client.stop()

    async def of(self, group: str, topics: Sequence[str]) -> int:
        """Records on `topics` that `group` has not committed; names and errors as `progress`."""
        return sum(max(0, each.end - each.read) for each in (await self.progress(group, topics)).values())

    async def progress(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, Progress]:
        """How far `group` has read each partition of `topics`; both are the contract's names.

        Raises:
            TransientError: the brokers do not answer in time.
        """
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                return await self._asked(self._settings.group(group), [self._settings.topic(topic) for topic in topics])
        except (KafkaError, TimeoutError) as error:
            raise _away(error) from error

    async def _asked(self, group: str, topics: list[str]) -> Mapping[TopicPartition, Progress]:
        described = await self._admin.describe_topics(topics)
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        committed = await self._admin.list_consumer_group_offsets(group, partitions=partitions)
        ends = await self._client.end_offsets(partitions)
        starts = await self._client.beginning_offsets(partitions)
        read = {partition: found.offset for partition, found in committed.items()}
        return {each: Progress(max(read.get(each, -1), starts[each]), ends[each]) for each in partitions}


@asynccontextmanager
async def open_lag_reader(settings: KafkaSettings) -> AsyncIterator[LagReader]:
    """A started reader; its close is bounded."""
    reader = LagReader(settings)
    async with lifecycle.bounded(reader.stop, _CLOSE_SECONDS, "lag reader"):
        await reader.start()
        yield reader


def _away(error: Exception) -> TransientError:
    return TransientError(f"Kafka: {type(error).__name__}", Reason.KAFKA_UNAVAILABLE)
