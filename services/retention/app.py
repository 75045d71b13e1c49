"""Retention put together: its pool and its loop."""

import asyncio
from contextlib import AsyncExitStack

import structlog
from prometheus_client import CollectorRegistry

from services.retention.settings import Settings
from shared.postgres import migrate
from shared.postgres.pool import open_pool, reachable
from shared.runtime import health, lifecycle, startup

_log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    registry = CollectorRegistry()
    checks = health.Health(ready={"start": startup.still_starting})
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(lifecycle.stop_on_signals())
        await stack.enter_async_context(health.serve(checks, registry, settings.ops_host, settings.ops_port))
        pool = await startup.until_it_answers(
            lambda: stack.enter_async_context(open_pool(settings, "tocsin-retention")), stop, "PostgreSQL"
        )
        await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
        checks.ready["postgres"] = lambda: reachable(pool)
        del checks.ready["start"]
        _log.info("started")
        await lifecycle.run_until_stopped({"idle": _until_stopped}, stop, settings.drain_seconds)


async def _until_stopped(stop: asyncio.Event) -> None:
    await stop.wait()
