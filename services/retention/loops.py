"""Retention's two loops: the leader lets go of what is old, and every replica measures how far behind that is."""

import asyncio
from dataclasses import dataclass

import structlog

from services.retention import leadership, policy
from services.retention.leadership import Leadership
from services.retention.sweep import Sweep
from shared.runtime import lifecycle
from shared.runtime.sweeping import sweeping

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loops:
    """What runs until the service stops; what is away or held is waited for."""

    sweep: Sweep

    async def lead(self, stop: asyncio.Event) -> None:
        """Lead when nobody else does, until `stop`."""
        await sweeping("lead", lambda: self._sought(stop), self.sweep.settings.leader_poll_seconds)(stop)

    async def measure(self, stop: asyncio.Event) -> None:
        """Keep the gauges current until `stop`."""
        await sweeping("measure", self._measured, self.sweep.settings.retention_poll_seconds)(stop)

    async def _sought(self, stop: asyncio.Event) -> None:
        async with leadership.sought(self.sweep.store.pool) as leading:
            if leading is None:
                return
            self.sweep.metrics.leading.set(1)
            _log.info("leading")
            try:
                await self._lead(leading, stop)
            finally:
                self.sweep.metrics.leading.set(0)

    async def _lead(self, leading: Leadership, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await leading.confirm()
            await self.sweep.round(stop)
            await lifecycle.pause(stop, self.sweep.settings.retention_poll_seconds)

    async def _measured(self) -> None:
        store, metrics = self.sweep.store, self.sweep.metrics
        days = await store.expired_days()
        oldest = await store.oldest_removal()
        metrics.behind.set(policy.behind_seconds(days[0] if days else None, oldest, await store.cutoff_time()))
        metrics.days_ahead.set(await store.partition_days_ahead())
