"""Retention put together: its pool, its producer and its loops."""

from contextlib import AsyncExitStack

import structlog
from prometheus_client import CollectorRegistry

from services.retention.loops import Loops
from services.retention.metrics import Metrics
from services.retention.settings import Settings
from services.retention.store import Store
from services.retention.sweep import Sweep
from shared.kafka.producer import open_producer
from shared.postgres import migrate
from shared.postgres.pool import open_pool, reachable
from shared.runtime import health, lifecycle, startup

_log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop.

    Raises:
        SchemaTooOldError: migrations are missing.
        StopAskedError: stopped before it had started.
        ExceptionGroup: a loop crashed.
        TimeoutError: the loops did not end within `drain_seconds`.
    """
    registry = CollectorRegistry()
    checks = health.Health(ready={"start": startup.still_starting})
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(lifecycle.stop_on_signals())
        await stack.enter_async_context(health.serve(checks, registry, settings.ops_host, settings.ops_port))
        pool = await startup.until_it_answers(
            lambda: stack.enter_async_context(open_pool(settings, "tocsin-retention")), stop, "PostgreSQL"
        )
        await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
        producer = await startup.until_it_answers(
            lambda: stack.enter_async_context(open_producer(settings)), stop, "Kafka"
        )
        loops = Loops(Sweep(settings, Store(pool), producer, Metrics(registry)))
        checks.ready["postgres"] = lambda: reachable(pool)
        del checks.ready["start"]
        _log.info("started")
        running = {"lead": loops.lead, "measure": loops.measure}
        await lifecycle.run_until_stopped(running, stop, settings.drain_seconds)
