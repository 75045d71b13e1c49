"""Retention put together: its pool, its producer and its loops."""

from services.retention.loops import Loops
from services.retention.metrics import Metrics
from services.retention.settings import Settings
from services.retention.store import Store
from services.retention.sweep import Sweep
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
        pool = await checked_pool(start, settings, "tocsin-retention")
        producer = await start.client(lambda: open_producer(settings), "Kafka")
        loops = Loops(Sweep(settings, Store(pool), producer, Metrics(start.registry)))
        await start.run({"lead": loops.lead, "measure": loops.measure})
