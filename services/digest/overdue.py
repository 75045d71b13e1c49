"""What timers missed, whatever became of faust: windows past their time, and items that no window waits for."""

import asyncio
from dataclasses import dataclass

import structlog

from services.digest import records, store, windows
from services.digest.flush import Flush
from services.digest.settings import Settings
from shared.postgres import pool as postgres
from shared.runtime.sweeping import sweeping

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Overdue:
    """Two loops that need PostgreSQL alone; several replicas may run them, each row is taken by one."""

    settings: Settings
    flush: Flush

    async def watch_windows(self, stop: asyncio.Event) -> None:
        """Flush what is late until `stop`: full batches at once, then a wait."""
        await sweeping("overdue windows", self._late, self.settings.overdue_poll_seconds)(stop)

    async def watch_items(self, stop: asyncio.Event) -> None:
        """Open windows for stray items until `stop`."""
        await sweeping("stray items", self._strays, self.settings.stray_poll_seconds)(stop)

    async def _late(self) -> bool:
        flushed = await self.flush.overdue(self.settings.overdue_seconds, self.settings.flush_batch)
        return flushed == self.settings.flush_batch

    async def _strays(self) -> bool:
        """Whether there may be more. A window that opened is told to the timers; if that fails, it is overdue later."""
        most = self.settings.flush_batch
        async with postgres.transaction(self.flush.pool) as connection:
            found = await store.strays(connection, most)
            if not found:
                return False
            now = await store.now(connection)
            opened = windows.opened_for(found, self.settings.default_window_seconds, now)
            await store.open_windows(connection, opened)
        self.flush.metrics.strays.inc(len(found))
        _log.warning("stray_items_found", items=len(found), windows=len(opened))
        await self.flush.producer.send_all([records.opened(window, now) for window in opened])
        return len(found) == most
