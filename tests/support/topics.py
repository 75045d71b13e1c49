"""Topics of one test's own, told apart by a prefix."""

import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator

from aiokafka.admin import AIOKafkaAdminClient

from shared.contract.topics import TOPICS
from shared.kafka import admin as topic_admin
from shared.runtime.settings import KafkaSettings

PARTITIONS = 2  # enough to see that keys are kept apart, few enough for hundreds of tests on one broker


@contextlib.asynccontextmanager
async def prefixed(bootstrap: str) -> AsyncIterator[str]:
    """A prefix nobody else uses (`t1a2b3c4.`); every topic that begins with it is deleted at the end."""
    prefix = f"t{uuid.uuid4().hex[:8]}."
    try:
        yield prefix
    finally:
        await _delete(bootstrap, prefix)


async def create(settings: KafkaSettings) -> None:
    """Every topic of the contract, below the prefix in the settings."""
    few = [dataclasses.replace(topic, partitions=min(topic.partitions, PARTITIONS)) for topic in TOPICS]
    await topic_admin.create_topics(settings, topics=few)


async def _delete(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if names:
            await admin.delete_topics(names)
    finally:
        await admin.close()
