"""sendNotification while the directory or Kafka is away: 503 in its own shape, and nothing half-done."""

import pathlib

import aiohttp
import asyncpg

from deploy.local import ports
from shared.runtime.settings import KafkaSettings
from tests.support import databases, door, proxy, sam, service, waiting
from tests.support.sam import Caller
from tests.unit.test_sam_body import SCHEDULE, sent


async def test_while_the_directory_is_away_it_says_so_and_nothing_is_done(
    kafka_settings: KafkaSettings, database: databases.Database, tmp_path: pathlib.Path
) -> None:
    async with proxy.before(database.dsn("ingest")) as between:
        told = {"postgres_dsn": between.dsn(database.dsn("ingest"))}
        async with door.ingest(database, kafka_settings, tmp_path, **told) as ingest:
            await sam.seed(ingest.owner)
            caller = await sam.caller(ingest, "root", "SUPER_USER")
            assert (await caller.send(sent(version=2))).json == 4
            assert (await ingest.post(door.body()))[0] == 202
            ends = await ingest.ends()
            between.cut()
            for body in (sent(version=2), sent(), sent(**SCHEDULE), sent("UN", values=["aaron"])):
                answer = await caller.send(body)
                assert (answer.status, answer.json["exception"]) == (503, "WSCacheServiceException")
                assert "nothing was sent" in answer.json["message"]
                assert int(answer.headers["Retry-After"]) >= 1
            status, _ = await ingest.post(door.body(mail={"template": "t", "subject": "s"}))
            assert status == 503, "nobody can say whether there is such a template"
            assert await ingest.ends() == ends
            assert await ingest.owner.fetchval("SELECT count(*) FROM identities") == 0
            assert (await ingest.post(door.body()))[0] == 202, "without mail and key the record is not asked"
            between.mend()

            async def sends_again() -> bool:
                return (await caller.send(sent())).status == 200

            await waiting.until(sends_again, 30, "sendNotification to work again")


async def test_while_kafka_is_away_it_is_an_internal_error_to_be_repeated(
    database: databases.Database, tmp_path: pathlib.Path
) -> None:
    nowhere = KafkaSettings(kafka_bootstrap=f"127.0.0.1:{ports.free_port()}")
    (tmp_path / "secret").write_bytes(door.SECRET)
    told = {
        "postgres_dsn": database.dsn("ingest"),
        "kafka_bootstrap": nowhere.kafka_bootstrap,
        "api_key_secret_file": str(tmp_path / "secret"),
    }
    async with service.running("ingest", told) as running, aiohttp.ClientSession() as http:
        await running.until("/livez", 200)
        owner = await asyncpg.connect(database.owner)
        try:
            ingest = door.Ingest(running, nowhere, http, owner, "", told)
            caller = await sam.caller(ingest, "root", "SUPER_USER")
            await sam.seed(owner)
            answer = await Caller(ingest, caller.token, caller.key).send(sent(version=2))
            assert (answer.status, answer.json["exception"]) == (503, "WSInternalException")
            assert "nothing was sent" in answer.json["message"], "there was nobody to send it to"
            assert "Retry-After" in answer.headers
        finally:
            await owner.close()
        assert await running.stop() == 0
