"""Ingest when PostgreSQL answers a question with an error that nobody foresaw: it says so and goes on."""

import contextlib
import pathlib
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.ingest.identities import Identities, Standing
from services.ingest.store import Claim, Store
from shared import access
from shared.contract import topics
from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.postgres.pool import open_pool
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import databases, door, sam, waiting
from tests.unit.test_sam_body import sent

DESKTOP = "/api/sn_dex_desktop/notifications"
CALL = {"notification_message": "Down", "recipient_list": "ada", "source": "pe"}
LATER = {"local": "2030-06-01T09:00:00", "timezone": "Europe/Berlin"}


@contextlib.asynccontextmanager
async def denied(owner: asyncpg.Connection, table: str = "identities") -> AsyncIterator[None]:
    """Ingest may not read a table while this is open."""
    await owner.execute(f"REVOKE SELECT ON {table} FROM tocsin_ingest")  # noqa: S608 - the test's own words
    try:
        yield
    finally:
        await owner.execute(f"GRANT SELECT ON {table} TO tocsin_ingest")


async def test_each_door_says_503_in_its_own_shape_the_topic_waits_and_all_is_well_again(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with door.ingest(database, kafka_settings, tmp_path) as ingest:
        await sam.seed(ingest.owner)
        caller = await sam.caller(ingest, "root", "SUPER_USER")
        await ingest.owner.execute("INSERT INTO users (tenant, id) VALUES ($1, 'ada')", door.TENANT)
        desktop = {
            "Authorization": f"Bearer {await ingest.new_key([access.Scope.DESKTOP_ASSISTANT])}",
            "Idempotency-Key": "desktop",
        }
        keyed, later = door.body(idempotency_key="native"), door.body(schedule=LATER)
        keyed_sam = {"Idempotency-Key": "sam"}
        async with denied(ingest.owner):
            await ingest.produce((door.body(schedule=LATER, name="on the topic"), {"tenant": door.TENANT}))
            for body in (keyed, later):
                status, problem = await ingest.post(body)
                assert (status, problem["status"]) == (503, 503)
                assert "denied" not in problem["detail"], "what is inside is told to the log"
            status, batch = await ingest.post({"notifications": [keyed, door.body()]}, path="/v1/notifications/batch")
            assert [each["status"] for each in batch["results"]] == [503, 202], "without a key nothing is asked"
            status, answer = await ingest.post(CALL, desktop, DESKTOP)
            assert (status, answer["responseCode"], answer["metadata"]) == (503, 503, {})
            assert "nothing was queued" in answer["message"]
            for version in (2, 4):
                said = await caller.send(sent(version=version), keyed_sam)
                assert (said.status, said.json["exception"]) == (503, "WSInternalException")
                assert int(said.headers["Retry-After"]) >= 1
            async with ingest.http.post(
                ingest.running.http + "/v1/notifications", json=keyed, headers={"Authorization": f"Bearer {ingest.key}"}
            ) as response:
                assert int(response.headers["Retry-After"]) >= 1
            assert await ingest.running.status("/livez") == 200
            assert await ingest.ends() == 1

        async def decided() -> bool:
            return (await ingest.post(keyed))[0] == 202

        await waiting.until(decided, 10, "keys to be decided again")
        assert (await ingest.post(CALL, desktop, DESKTOP))[0] == 200
        assert (await caller.send(sent(version=2), keyed_sam)).status == 200
        await ingest.written([topics.SCHEDULED], lambda found: found["notification"]["name"] == "on the topic", 1)


async def test_what_nobody_foresaw_elsewhere_has_the_shape_of_send_notification_and_promises_nothing(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with door.ingest(database, kafka_settings, tmp_path) as ingest:
        await sam.seed(ingest.owner)
        caller = await sam.caller(ingest, "root", "SUPER_USER")
        async with denied(ingest.owner, "groups"):
            said = await caller.send(sent())
        assert said.fault == (500, "WSInternalException", "")
        assert "whether it was sent is unknown" in said.json["message"]
        assert "denied" not in said.json["message"], "what is inside is told to the log"
        assert (await caller.send(sent())).status == 200


async def test_who_is_known_is_served_while_keys_cannot_be_read_and_who_is_new_waits(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with door.ingest(database, kafka_settings, tmp_path) as ingest:
        assert (await ingest.post(door.body()))[0] == 202
        async with denied(ingest.owner, "api_keys"):
            stranger = {"Authorization": f"Bearer {await ingest.new_key([access.Scope.PUBLISH])}"}
            await ingest.owner.execute("INSERT INTO tenants (id) VALUES ('globex')")
            await ingest.produce((door.body(name="of a new tenant"), {"tenant": "globex"}))
            for _ in range(2):
                status, problem = await ingest.post(door.body(), stranger)
                assert (status, "denied" in problem["detail"]) == (503, False)
                assert (await ingest.post(door.body()))[0] == 202
            assert await ingest.running.status("/livez") == 200

        async def known() -> bool:
            return (await ingest.post(door.body(), stranger))[0] == 202

        await waiting.until(known, 10, "the new key to be known")
        await ingest.written(door.ACCEPTED, lambda found: found["name"] == "of a new tenant", 1)


async def test_the_topic_waits_while_the_directory_cannot_be_read_and_http_goes_on(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    log = tmp_path / "log"

    async def told() -> bool:
        return "requests_not_taken" in log.read_text()

    with log.open("wb") as output:
        async with door.ingest(database, kafka_settings, tmp_path, output) as ingest:
            await sam.seed(ingest.owner)
            async with denied(ingest.owner, "groups"):
                await ingest.produce((sent(version=2, message="Later"), {"tenant": door.TENANT, "dialect": "sam"}))
                await waiting.until(told, 20, "the log to say why the topic waits")
                assert (await ingest.post(door.body()))[0] == 202
                assert await ingest.running.status("/livez") == 200
            await ingest.written(door.ACCEPTED, lambda found: found["description"] == "Later", 1)


async def test_it_is_logged_once_with_what_to_do_until_a_key_was_decided(database: databases.Database) -> None:
    owner = await asyncpg.connect(database.owner)
    try:
        async with open_pool(PostgresSettings(postgres_dsn=database.dsn("ingest")), "test") as pool:
            identities = Identities(Store(pool), linger_seconds=0.0, timeout_seconds=5.0)
            async with identities.running():
                for _ in range(2):
                    claim = Claim(uuid.uuid4(), "acme", b"hash")
                    with capture_logs() as logs:
                        async with denied(owner):
                            for _ in range(3):
                                with pytest.raises(TransientError) as told:
                                    await identities.decide([claim])
                                assert told.value.reason is Reason.INTERNAL
                    [line] = logs
                    assert (line["event"], line["log_level"]) == ("identities_not_decided", "error")
                    assert "tocsin migrate" in line["detail"]
                    [decided] = await identities.decide([claim])
                    assert decided.standing is Standing.FIRST
    finally:
        await owner.close()
