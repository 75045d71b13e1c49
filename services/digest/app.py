"""The digest service put together: its pool, its Kafka clients and its loops."""

from services.digest.flush import Flush
from services.digest.metrics import Metrics
from services.digest.overdue import Overdue
from services.digest.settings import Settings
from services.digest.stream import Stream
from services.digest.timers import Timers
from shared.clock import SystemClock
from shared.kafka.producer import open_producer
from shared.postgres.opening import checked_pool
from shared.runtime import startup


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop.

    Raises:
        SchemaTooOldError: migrations are missing.
        StopAskedError: stopped before it had started.
        ExceptionGroup: a loop crashed.
        TimeoutError: the loops did not end within `drain_seconds`.
    """
    async with startup.starting(settings) as start:
        pool = await checked_pool(start, settings, "tocsin-digest")
        producer = await start.client(lambda: open_producer(settings), "Kafka")
        flush = Flush(pool, producer, Metrics(start.registry))
        stream = Stream(settings, Timers(flush, SystemClock(), settings.flush_batch))
        overdue = Overdue(settings, flush)
        start.health.ready["timers"] = stream.recovered
        await start.run({"timers": stream.run, "overdue": overdue.watch_windows, "strays": overdue.watch_items})
