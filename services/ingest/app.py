"""Ingest put together: two doors, one validator, and what they share."""

import asyncio
import time
from contextlib import AsyncExitStack, closing
from functools import partial

from services.ingest import api
from services.ingest.admission import Admission, Recorded
from services.ingest.directory import Directory
from services.ingest.doors import topic
from services.ingest.doors.bodies import BodiesDoor
from services.ingest.doors.desktop_assistant import DesktopAssistantDoor
from services.ingest.doors.http import HttpDoor
from services.ingest.doors.http_entry import HttpEntry
from services.ingest.doors.sam import SamDoor, Senders
from services.ingest.doors.topic import Known, TopicDoor
from services.ingest.doors.topic_answers import Answers
from services.ingest.doors.topic_sam import SamRecords
from services.ingest.identities import Identities
from services.ingest.mails import Mails
from services.ingest.metrics import Metrics
from services.ingest.publisher import Publisher
from services.ingest.routine_lag import RoutineLag
from services.ingest.sam_store import SamStore
from services.ingest.send_notifications import SendNotifications
from services.ingest.settings import Settings
from services.ingest.settings_cache import SettingsCache
from services.ingest.store import Store
from services.ingest.store_mails import MailStore
from shared.clock import SystemClock
from shared.contract import topics
from shared.kafka.consumer import consume, open_consumer
from shared.postgres import migrate
from shared.postgres.pool import Pool, open_pool
from shared.postgres.uploads import Uploads
from shared.runtime import health, lifecycle, startup, web
from shared.runtime.large_bodies import ROOM_BYTES, LargeBodies, Room
from shared.runtime.refused_credentials import Counted
from shared.runtime.secret_file import SecretFile


async def run(settings: Settings) -> None:
    """Serve both doors until SIGTERM or SIGINT, then drain.

    The doors open at once: while Kafka or PostgreSQL has not answered yet, HTTP says 503 and the topic waits.

    Raises:
        SchemaTooOldError: migrations are missing.
        ExceptionGroup: a loop crashed.
        TimeoutError: the loops did not end within `drain_seconds`.
    """
    clock = SystemClock()
    async with startup.starting(settings) as start:
        metrics, stack, checks = Metrics(start.registry), start.stack, start.health
        listening = stack.enter_context(closing(web.bound_socket(settings)))
        pool = await stack.enter_async_context(open_pool(settings, "tocsin-ingest", min_size=0))
        store = Store(pool)
        secret = SecretFile(settings.api_key_secret_file)
        cache = SettingsCache(store, secret, clock)
        lag = RoutineLag(settings, settings.lag_poll_seconds, metrics, clock)
        publisher = Publisher(settings)
        stack.push_async_callback(publisher.close)
        identities = Identities(store, settings.identity_linger_seconds, settings.identity_timeout_seconds)
        await stack.enter_async_context(identities.running())
        mail_store = MailStore(pool)
        admission = Admission(Recorded(identities, Mails(mail_store)), publisher, lag, metrics, clock)
        directory = Directory(store, settings.directory_timeout_seconds)
        entry = HttpEntry(cache, admission, metrics, clock, settings.max_in_flight)
        http, desktop = HttpDoor(entry), DesktopAssistantDoor(entry, cache, directory)
        sam_store = SamStore(pool)
        large = LargeBodies(Room(ROOM_BYTES))
        notifications = SendNotifications(sam_store, mail_store, clock)
        sam = SamDoor(entry, Senders(sam_store, secret), notifications, large, clock)
        bodies = BodiesDoor(entry, Uploads(pool, large))
        records = TopicDoor(
            settings, Known(cache, directory, SamRecords(notifications)), admission, Answers(publisher, store), clock
        )
        checks.ready.update(settings=cache.loaded, producer=publisher.connected, kafka=lag.kafka_answers)
        application = api.build(
            api.Endpoints(http.notification, http.batch, desktop.notification, sam.send, sam.timezones, bodies.add)
        )
        loops: dict[str, lifecycle.Loop] = {
            "http": partial(web.serve, Counted(application, api.DOORS, start.registry), listening),
            "requests": lambda stopping: _requests(settings, records, checks, stopping),
            "settings": lambda stopping: _settings(settings, cache, pool, stopping),
            "kafka": publisher.connect,
            "lag": lag.follow,
        }
        await start.run(loops, port=listening.getsockname()[1])


async def _settings(settings: Settings, cache: SettingsCache, pool: Pool, stop: asyncio.Event) -> None:
    """Loop: keys and tenants, once the schema is known to be recent enough."""
    try:
        await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
    except lifecycle.StopAskedError:
        return
    await cache.follow(stop, settings.settings_poll_seconds, settings.settings_reload_seconds)


async def _requests(settings: Settings, door: TopicDoor, checks: health.Health, stop: asyncio.Event) -> None:
    """Loop: the topic door, once Kafka answers."""
    async with AsyncExitStack() as stack:
        try:
            consumer = await startup.until_it_answers(
                lambda: stack.enter_async_context(
                    open_consumer(settings, topic.GROUP, [topics.REQUESTS], settings.requests_batch)
                ),
                stop,
                "Kafka",
            )
        except lifecycle.StopAskedError:
            return
        checks.live["requests"] = lambda: consumer.stalled(time.monotonic())
        await consume(consumer, door.take, stop)
