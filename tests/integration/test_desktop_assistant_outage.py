"""The Desktop Assistant dialect while the directory is away: 503 in its own shape, and nothing half-done."""

import asyncio
import pathlib

from services.ingest.dialects import desktop_assistant
from shared import access
from shared.client import DesktopAppNotificationUtils, Patience
from shared.contract import topics
from shared.retry import Backoff
from shared.runtime.settings import KafkaSettings
from tests.support import databases, door, proxy

HASTY = Patience(attempts=2, timeout_seconds=10.0, backoff=Backoff(first_seconds=0.01, longest_seconds=0.02))
PATH = "/api/sn_dex_desktop/notifications"
CALL = {"notification_message": "Down", "recipient_list": "ada", "source": "pe"}


async def test_without_the_directory_both_doors_wait_or_say_503_and_nothing_is_queued(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with proxy.before(database.owner) as between:
        dsn = between.dsn(database.dsn("ingest"))
        async with door.ingest(database, kafka_settings, tmp_path, postgres_dsn=dsn) as ingest:
            await ingest.owner.execute("INSERT INTO users (tenant, id) VALUES ($1, 'ada')", door.TENANT)
            key = await ingest.new_key([access.Scope.DESKTOP_ASSISTANT])
            headers = {"Authorization": f"Bearer {key}"}
            assert (await ingest.post({}, headers, PATH))[0] == 400, "the key is known before the outage"
            between.cut()
            status, answer = await ingest.post(CALL, headers, PATH)
            assert (status, answer["responseCode"], answer["metadata"]) == (503, 503, {})
            assert "nothing was queued" in answer["message"]
            utils = DesktopAppNotificationUtils(ingest.running.http, key, HASTY)
            said = await asyncio.to_thread(utils.sendDANotification, CALL)
            assert (said["responseCode"], said["metadata"]) == (503, {})
            dialect = {"tenant": door.TENANT, "dialect": desktop_assistant.NAME}
            await ingest.produce(({**CALL, "recipient_list": "ghost"}, dialect), (CALL, dialect))
            assert (await ingest.post(door.body(source="native")))[0] == 202, "the native door needs no database"
            assert await ingest.ends() == 1
            between.mend()
            (message,) = await ingest.written(door.ACCEPTED, lambda found: found["source"] == "pe", 1)
            assert message["recipients"] == ["ada"]
            await ingest.written([topics.REJECTED], lambda found: "ghost" in str(found["errors"]), 1)
            assert await ingest.ends() == 2
