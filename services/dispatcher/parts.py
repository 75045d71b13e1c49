"""What the loops of one dispatcher process stand on; opened and closed by app.py."""

import time
from dataclasses import dataclass, field

from services.dispatcher.metrics import Metrics
from services.dispatcher.settings import Settings
from shared.contract.importance import Lane
from shared.kafka.consumer import Consumer, open_consumer
from shared.kafka.producer import Producer
from shared.postgres.opening import checked_pool
from shared.postgres.pool import BY_INDEX, Pool
from shared.runtime.startup import Start


@dataclass(frozen=True, slots=True)
class Parts:
    """The shared parts of a process; what is opened through them closes with the process, in reverse order."""

    settings: Settings
    instance: str
    metrics: Metrics
    producer: Producer
    start: Start
    pools: dict[Lane, Pool] = field(default_factory=dict)

    async def pool(self, lane: Lane) -> Pool:
        """The connections of a lane, so that no lane ever waits for another's.

        Raises:
            SchemaTooOldError: migrations are missing.
        """
        if lane not in self.pools:
            application, check = f"tocsin-dispatcher-{lane}", f"postgres.{lane}"
            self.pools[lane] = await checked_pool(self.start, self.settings, application, check, BY_INDEX)
        return self.pools[lane]

    async def consumer(self, group: str, topic: str, max_records: int) -> Consumer:
        """A member of a group on one topic; a partition that stalls fails the process's liveness."""
        consumer = await self.start.client(
            lambda: open_consumer(self.settings, group, [topic], max_records), f"consumer.{group}"
        )

        async def stalled() -> str | None:
            return await consumer.stalled(time.monotonic())

        self.start.health.live[f"consumer.{group}"] = stalled
        return consumer
