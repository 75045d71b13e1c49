"""The digest service put together: its pool, its Kafka clients and its loops."""

from contextlib import AsyncExitStack

import structlog
from prometheus_client import CollectorRegistry

from services.digest.flush import Flush
from services.digest.metrics import Metrics
from services.digest.overdue import Overdue
from services.digest.settings import Settings
from services.digest.stream import Stream
from services.digest.timers import Timers
from shared.clock import SystemClock
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
            lambda: stack.enter_async_context(open_pool(settings, "tocsin-digest")), stop, "PostgreSQL"
        )
        await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
        producer = await startup.until_it_answers(
            lambda: stack.enter_async_context(open_producer(settings)), stop, "Kafka"
        )
        flush = Flush(pool, producer, Metrics(registry))
        stream = Stream(settings, Timers(flush, SystemClock(), settings.flush_batch))
        overdue = Overdue(settings, flush)
        checks.ready |= {"postgres": lambda: reachable(pool), "timers": stream.recovered}
        del checks.ready["start"]
        _log.info("started")
        loops = {"timers": stream.run, "overdue": overdue.watch_windows, "strays": overdue.watch_items}
        await lifecycle.run_until_stopped(loops, stop, settings.drain_seconds)
