"""The scheduler put together: its pool, its Kafka clients and its loops."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic

import structlog
from prometheus_client import CollectorRegistry

from services.scheduler.drain import Drain
from services.scheduler.leases import Leases
from services.scheduler.metrics import Metrics
from services.scheduler.pending import Pending
from services.scheduler.planning import GROUP, Planning
from services.scheduler.release import Release
from services.scheduler.settings import Settings
from services.scheduler.sweep import sweeping
from services.scheduler.unclaimed import Unclaimed
from shared.contract import topics
from shared.kafka.consumer import Consumer, consume, open_consumer
from shared.kafka.lag import LagReader, open_lag_reader
from shared.kafka.producer import Producer, open_producer
from shared.postgres import migrate
from shared.postgres.pool import Pool, open_pool, reachable
from shared.runtime import health, lifecycle, startup

_log = structlog.get_logger()

_LEASES_SECONDS = 1.0
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
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    checks = health.Health(ready={"start": startup.still_starting})
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(lifecycle.stop_on_signals())
        await stack.enter_async_context(health.serve(checks, registry, settings.ops_host, settings.ops_port))
        parts = await _opened(stack, settings, stop)
        checks.live["consumer"] = lambda: parts.consumer.stalled(monotonic())
        checks.ready["postgres"] = lambda: reachable(parts.pool)
        del checks.ready["start"]
        _log.info("started")
        await lifecycle.run_until_stopped(_loops(parts, metrics, settings), stop, settings.drain_seconds)


async def _opened(stack: AsyncExitStack, settings: Settings, stop: asyncio.Event) -> Parts:
    """Everything the loops need, once it answers."""
    pool = await startup.until_it_answers(
        lambda: stack.enter_async_context(open_pool(settings, "tocsin-scheduler")), stop, "PostgreSQL"
    )
    await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
    producer = await startup.until_it_answers(lambda: stack.enter_async_context(open_producer(settings)), stop, "Kafka")
    lag = await startup.until_it_answers(lambda: stack.enter_async_context(open_lag_reader(settings)), stop, "Kafka")
    consumer = await startup.until_it_answers(
        lambda: stack.enter_async_context(open_consumer(settings, GROUP, [topics.SCHEDULED], settings.release_batch)),
        stop,
        "Kafka",
    )
    return Parts(pool, producer, lag, consumer)


def _loops(parts: Parts, metrics: Metrics, settings: Settings) -> dict[str, lifecycle.Loop]:
    planning = Planning(parts.pool, parts.producer, metrics)
    release = Release(parts.pool, parts.producer, metrics, settings)
    leases = Leases(parts.pool, metrics, settings)
    drain = Drain(parts.pool, parts.producer, metrics, settings)
    unclaimed = Unclaimed(parts.pool, parts.producer, parts.lag, metrics, settings)
    pending = Pending(parts.pool, metrics)
    return {
        "planning": lambda stop: consume(parts.consumer, planning.store, stop),
        "schedules": sweeping("schedules", release.schedules, settings.poll_seconds),
        "retries": sweeping("retries", release.retries, settings.poll_seconds),
        "leases": sweeping("leases", leases.sweep, min(_LEASES_SECONDS, settings.lease_seconds / 4)),
        "outbox": sweeping("outbox", drain.sweep, _OUTBOX_SECONDS),
        "unclaimed": sweeping("unclaimed", unclaimed.sweep, settings.reconcile_poll_seconds),
        "pending": sweeping("pending", pending.measure, _PENDING_SECONDS),
    }
