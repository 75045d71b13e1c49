"""One lane's sink between a topic and a database of one test's own: in this process, or as a process to be killed."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client import CollectorRegistry

from services.dispatcher import app
from services.dispatcher.metrics import Metrics
from services.dispatcher.parts import Parts
from services.dispatcher.settings import Settings, SmtpSecurity
from shared.contract import records
from shared.contract.importance import Lane
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel
from shared.errors import TransientError
from shared.kafka.producer import Producer, open_producer
from shared.runtime.health import Health
from shared.runtime.settings import KafkaSettings
from shared.runtime.startup import Start
from tests.support import unsubscribing, warm
from tests.support.service import ROOT

INSTANCE = "sink-0"
_END_SECONDS = 30.0


@dataclass
class RunningLane:
    """A lane of the urgent kind that runs in this process."""

    settings: Settings
    producer: Producer
    metrics: Metrics
    health: Health
    stopping: asyncio.Event
    running: asyncio.Task[None]

    async def ask(self, *requests: DeliveryRequested) -> None:
        """Put deliveries on the lane's topic."""
        await ask(self.producer, requests)

    async def stop(self) -> None:
        """Stop as SIGTERM does and wait until everything has ended."""
        self.stopping.set()
        await asyncio.wait_for(self.running, _END_SECONDS)

    def counted(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    async def committed(self, channel: Channel) -> int:
        """Offsets the lane's group has committed, summed over partitions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)
        await admin.start()
        try:
            group = self.settings.group(f"dispatcher.{channel}.urgent")
            found = await admin.list_consumer_group_offsets(group)
            return sum(each.offset for each in found.values())
        finally:
            await admin.close()


async def ask(producer: Producer, requests: Sequence[DeliveryRequested]) -> None:
    """Put deliveries on their topic, which may be too new to have a leader; one asked for twice is delivered once."""
    async with asyncio.timeout(_END_SECONDS):
        while True:
            try:
                return await producer.send_all([records.delivery(request) for request in requests])
            except TransientError:
                continue


@contextlib.asynccontextmanager
async def running(kafka: KafkaSettings, dsn: str, channel: Channel, **given: Any) -> AsyncIterator[RunningLane]:
    """The urgent lane of a channel; settings may be given."""
    settings = Settings(
        kafka_bootstrap=kafka.kafka_bootstrap, topic_prefix=kafka.topic_prefix, postgres_dsn=dsn,
        allowed_private_hosts="127.0.0.1", smtp_security=SmtpSecurity.NONE, postgres_timeout_seconds=5,
        **unsubscribing.SETTINGS, **given,
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        start = Start(settings, asyncio.Event(), stack, Health(), CollectorRegistry())
        producer = await stack.enter_async_context(open_producer(settings))
        parts = Parts(settings, INSTANCE, Metrics(start.registry), producer, start)
        (loop,) = (await app.sink_loops(parts, channel, Lane.URGENT)).values()
        lane = RunningLane(
            settings, producer, parts.metrics, start.health, start.stop, asyncio.create_task(loop(start.stop))
        )
        try:
            yield lane
        finally:
            await lane.stop()


@contextlib.asynccontextmanager
async def process(
    kafka: KafkaSettings, dsn: str, channel: Channel, environment: Mapping[str, str]
) -> AsyncIterator[warm.Process]:
    """The lane as a process of the same name each time; killed at the end when it is still there."""
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TOCSIN_KAFKA_BOOTSTRAP": kafka.kafka_bootstrap,
        "TOCSIN_TOPIC_PREFIX": kafka.topic_prefix,
        "TOCSIN_POSTGRES_DSN": dsn,
        "TOCSIN_INSTANCE": INSTANCE,
        "TOCSIN_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        "TOCSIN_SMTP_SECURITY": "none",
        **unsubscribing.ENVIRONMENT,
        **environment,
    }
    command = warm.Command("dispatcher", ["--only", f"{channel}.urgent"], given, ROOT)
    started = await asyncio.to_thread(warm.started, command)
    try:
        yield started
    finally:
        started.kill()
        await asyncio.to_thread(started.wait)
