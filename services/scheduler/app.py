"""The scheduler put together: its pool, its Kafka clients and its loops."""

from dataclasses import dataclass
from time import monotonic

from services.scheduler.consumption import Consumption
from services.scheduler.drain import Drain
from services.scheduler.leases import Leases
from services.scheduler.metrics import Metrics
from services.scheduler.pending import Pending
from services.scheduler.planning import GROUP, Planning
from services.scheduler.release import Release
from services.scheduler.settings import Settings
from services.scheduler.unclaimed import Unclaimed
from shared.contract import topics
from shared.kafka.consumer import Consumer, consume, open_consumer
from shared.kafka.lag import LagReader, open_lag_reader
from shared.kafka.producer import Producer, open_producer
from shared.postgres.opening import checked_pool
from shared.postgres.pool import Pool
from shared.runtime import lifecycle, startup
from shared.runtime.startup import Start
from shared.runtime.sweeping import sweeping

_LEASES_SECONDS = 1.0
_REPEATS_SECONDS = 1.0
_OUTBOX_SECONDS = 1.0
_PENDING_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the scheduler's loops share."""

    pool: Pool
    producer: Producer
    lag: LagReader
    consumer: Consumer


async def run(settings: Settings) -> None:
    """Run the scheduler until it is told to stop."""
    async with startup.starting(settings) as start:
        parts = await _opened(start, settings)
        start.health.live["consumer"] = lambda: parts.consumer.stalled(monotonic())
        await start.run(_loops(parts, Metrics(start.registry), settings))


async def _opened(start: Start, settings: Settings) -> Parts:
    """Everything the loops need, once it answers."""
    pool = await checked_pool(start, settings, "tocsin-scheduler")
    producer = await start.client(lambda: open_producer(settings), "Kafka")
    lag = await start.client(lambda: open_lag_reader(settings), "Kafka")
    consumer = await start.client(
        lambda: open_consumer(settings, GROUP, [topics.SCHEDULED], settings.release_batch), "Kafka"
    )
    return Parts(pool, producer, lag, consumer)


def _loops(parts: Parts, metrics: Metrics, settings: Settings) -> dict[str, lifecycle.Loop]:
    planning = Planning(parts.pool, parts.producer, metrics)
    consumption = Consumption(parts.lag)
    release = Release(parts.pool, parts.producer, consumption, metrics, settings)
    leases = Leases(parts.pool, metrics, settings)
    drain = Drain(parts.pool, parts.producer, metrics, settings)
    unclaimed = Unclaimed(parts.pool, parts.producer, consumption, metrics, settings)
    pending = Pending(parts.pool, metrics)
    return {
        "planning": lambda stop: consume(parts.consumer, planning.store, stop),
        "schedules": sweeping("schedules", release.schedules, settings.poll_seconds),
        "retries": sweeping("retries", release.retries, settings.poll_seconds),
        "repeated schedules": sweeping("repeated schedules", release.repeated_schedules, _REPEATS_SECONDS),
        "repeated retries": sweeping("repeated retries", release.repeated_retries, _REPEATS_SECONDS),
        "leases": sweeping("leases", leases.sweep, min(_LEASES_SECONDS, settings.lease_seconds / 4)),
        "outbox": sweeping("outbox", drain.sweep, _OUTBOX_SECONDS),
        "unclaimed": sweeping("unclaimed", unclaimed.sweep, settings.reconcile_poll_seconds),
        "pending": sweeping("pending", pending.measure, _PENDING_SECONDS),
    }
