"""The one module that knows faust: a table of open windows, sharded and recovered by it, and a timer over it.

Concurrency is 1 and the guarantee at_least_once, since faust commits past events in flight otherwise. The table is
partitioned by its keys (`use_partitioner`), which are those of the topic, so that a timer may change it. It lies in
memory and in its changelog; topics are made by us, never by faust.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError

from services.digest.settings import Settings
from services.digest.timers import BACKOFF, Timers
from shared.contract import topics
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import TransientError
from shared.runtime import lifecycle

_log = structlog.get_logger()

_SESSION_SECONDS = 10.0
"""A worker that is gone is replaced after this; faust's own default is a minute. One that comes back under its name
(a static member of the group) before that has its partitions at once, and nobody else stops for it."""

_LOOK_SECONDS = 0.2
_CLOSE_SECONDS = 10.0
_BUFFERED_RECORDS = 10_000
"""Changelog records on their way to Kafka before the stream waits; faust's own default of 100 stalls it."""


class _App(faust.App):
    """Without folders: the table lies in memory, and a killed process would leave them behind."""

    def _create_directories(self) -> None:
        pass


def build_app(settings: Settings, timers: Timers, failed: asyncio.Future[None]) -> Any:
    """The faust application: one agent that fills the table, one timer that empties it.

    What they raise goes to `failed` and not to faust, which would crash in a way that keeps the process from ending.
    """
    app = _App(
        settings.group("digest"),
        broker=[f"kafka://{address.strip()}" for address in settings.kafka_bootstrap.split(",")],
        broker_session_timeout=_SESSION_SECONDS,
        broker_heartbeat_interval=settings.heartbeat_seconds,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance or None,
        store="memory://",
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        loop=asyncio.get_running_loop(),
    )
    opened = app.topic(settings.topic(topics.DIGEST_WINDOWS), key_type=bytes, value_type=bytes)
    table = app.Table(
        "windows",
        key_type=bytes,
        value_type=bytes,
        use_partitioner=True,
        changelog_topic=_changelog(app, settings),
    )

    async def remember(stream: Any) -> None:
        async for event in stream.events():
            with _told(failed):
                if await _until_stored(app, timers, event.message):
                    table[event.key] = event.value

    async def recovered() -> None:
        timers.recovered(table.items())

    async def ring() -> None:
        with _told(failed):
            for key in await timers.ring():
                table.pop(key, None)

    table.on_recover(recovered)
    app.agent(opened, name="remember", concurrency=1)(remember)
    app.timer(settings.timer_seconds)(ring)
    return app


def _changelog(app: Any, settings: Settings) -> Any:
    """The topic as faust makes its own, but by our name."""
    return app.topic(
        settings.topic(topics.DIGEST_WINDOWS_CHANGELOG),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        compacting=True,
        acks=False,
        internal=True,
        maxsize=131_072,
        allow_empty=True,
    )


async def _until_stored(app: Any, timers: Timers, message: Any) -> bool:
    """Whether a record opens a window. Faust acknowledges whatever happens, so what must survive is waited for."""
    record = Record(topics.DIGEST_WINDOWS, message.key, message.value, [*(message.headers or {}).items()])
    attempt = 0
    while True:
        try:
            return await timers.opened(record, (message.partition, message.offset))
        except TransientError as error:
            attempt += 1
            _log.warning("dead_letter_waits", reason=error.reason, error=str(error))
            await app.sleep(BACKOFF.delay_seconds(attempt, random.random()))  # noqa: S311 - jitter is no secret


@contextmanager
def _told(failed: asyncio.Future[None]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the loop that waits for `failed` raises it
        if not failed.done():
            failed.set_exception(error)


class FaustCrashedError(RuntimeError):
    """Faust gave up of itself; another application may take its place."""


class Stream:
    """Keeps a faust application running; when it crashes, another takes its place."""

    def __init__(self, settings: Settings, timers: Timers) -> None:
        self._settings = settings
        self._timers = timers
        self._problem: str | None = "the timers' table is not recovered yet"

    async def recovered(self) -> str | None:
        """A readiness check: None once the table was read from its changelog."""
        return self._problem

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`. When faust gives up, another application takes its place: that costs lateness only.

        Raises:
            Exception: what our own part in it raised, after faust was stopped.
        """
        attempt = 0
        while not stop.is_set():
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            try:
                async with self._started(failed) as app:
                    attempt = 0
                    await _until_over(app, failed, stop)
            except (FaustCrashedError, TransientError) as error:
                attempt += 1
                self._problem = f"faust: {error}"
                _log.error("timers_crashed", error=str(error))
                await lifecycle.pause(stop, BACKOFF.delay_seconds(attempt, random.random()))  # noqa: S311 - jitter

    @asynccontextmanager
    async def _started(self, failed: asyncio.Future[None]) -> AsyncIterator[Any]:
        app = build_app(self._settings, self._timers, failed)
        async with lifecycle.bounded(lambda: self._stop(app), _CLOSE_SECONDS, "faust"):
            await self._start(app)
            self._problem = None
            yield app

    async def _stop(self, app: Any) -> None:
        """Stop after what is being flushed; a faust that crashed may refuse."""
        async with self._timers.resting():
            try:
                await app.stop()
            except Exception as error:  # noqa: BLE001 - faust raises what its libraries raise
                _log.warning("faust_stop_failed", error=str(error), error_type=type(error).__name__)

    async def _start(self, app: Any) -> None:
        """Start, knowing the changelog's partitions: faust learns them only of topics that it made.

        Raises:
            TransientError: no broker answers, or the topic is missing.
        """
        name = self._settings.topic(topics.DIGEST_WINDOWS_CHANGELOG)
        try:
            app.finalize()
            producer = await app.maybe_start_producer()
            producer.buffer.max_messages = _BUFFERED_RECORDS
            if not await producer._producer.partitions_for(name):  # noqa: SLF001 - faust has no door to it
                raise TransientError(f"topic {name} is missing; run `tocsin topics create`", Reason.KAFKA_UNAVAILABLE)
            await app.start()
        except (KafkaError, OSError) as error:
            raise TransientError(f"Kafka: {type(error).__name__}", Reason.KAFKA_UNAVAILABLE) from error


async def _until_over(app: Any, failed: asyncio.Future[None], stop: asyncio.Event) -> None:
    while not await lifecycle.pause(stop, _LOOK_SECONDS):
        if failed.done():
            failed.result()
        if app.crashed:
            raise FaustCrashedError(f"{type(app.crash_reason).__name__}: {app.crash_reason}")
