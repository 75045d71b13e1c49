"""What the loops of one dispatcher process stand on; opened and closed by app.py."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from services.dispatcher.metrics import Metrics
from services.dispatcher.settings import Settings
from shared.contract.importance import Lane
from shared.kafka.consumer import Consumer, open_consumer
from shared.kafka.producer import Producer
from shared.postgres import migrate
from shared.postgres import pool as postgres
from shared.runtime import startup
from shared.runtime.health import Health

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """The shared parts of a process; what is opened through them closes with the process, in reverse order."""

    settings: Settings
    instance: str
    metrics: Metrics
    health: Health
    producer: Producer
    pools: dict[Lane, postgres.Pool]
    stack: AsyncExitStack
    stop: asyncio.Event

    async def pool(self, lane: Lane) -> postgres.Pool:
        """The connections of a lane, so that no lane ever waits for another's.

        Raises:
            SchemaTooOldError: migrations are missing.
        """
        if lane not in self.pools:
            opened = await self.entered(
                lambda: postgres.open_pool(self.settings, f"tocsin-dispatcher-{lane}"), f"postgres.{lane}"
            )
            await startup.until_it_answers(lambda: migrate.require_schema(opened), self.stop, f"postgres.{lane}")
            self.pools[lane] = opened
            self.health.ready[f"postgres.{lane}"] = lambda: postgres.reachable(opened)
        return self.pools[lane]

    async def consumer(self, group: str, topic: str, max_records: int) -> Consumer:
        """A member of a group on one topic; a partition that stalls fails the process's liveness."""
        consumer = await self.entered(
            lambda: open_consumer(self.settings, group, [topic], max_records), f"consumer.{group}"
        )

        async def stalled() -> str | None:
            return await consumer.stalled(time.monotonic())

        self.health.live[f"consumer.{group}"] = stalled
        return consumer

    async def entered(self, opening: Callable[[], AbstractAsyncContextManager[T]], what: str) -> T:
        """What `opening` makes, entered once it answers and left with the process."""
        return await startup.until_it_answers(lambda: self.stack.enter_async_context(opening()), self.stop, what)
