"""Ingest while Kafka or PostgreSQL is away, hangs and returns: what it accepts all the same, what it refuses."""

import asyncio
import json
import os
import pathlib
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest_asyncio

from deploy.local import kafka, postgres
from shared import access
from shared.contract import topics
from shared.runtime.settings import KafkaSettings
from tests.support import databases, door, sam, service, waiting
from tests.support import topics as topics_support
from tests.unit import test_sam_body as sam_body

SCHEDULE = {"local": "2030-06-01T09:00:00", "timezone": "Europe/Berlin"}


@pytest_asyncio.fixture
async def broker(tmp_path: pathlib.Path) -> AsyncIterator[kafka.Kafka]:
    """A Kafka of this test's own, to be killed and started again."""
    own = kafka.Kafka(tmp_path / "kafka")
    try:
        await own.start()
        yield own
    finally:
        await own.stop()


@pytest_asyncio.fixture
async def server(tmp_path: pathlib.Path) -> AsyncIterator[postgres.Postgres]:
    """A PostgreSQL of this test's own."""
    own = postgres.Postgres(tmp_path / "postgres", postgres.Options(fsync=False))
    try:
        await own.start()
        yield own
    finally:
        await own.stop()


async def answer_of(ingest: door.Ingest, content: door.Json) -> tuple[int, str | None, float]:
    """Status, Retry-After and seconds of one request."""
    begun = time.monotonic()
    url, headers = ingest.running.http + "/v1/notifications", {"Authorization": f"Bearer {ingest.key}"}
    async with ingest.http.post(url, json=content, headers=headers) as response:
        await response.read()
        return response.status, response.headers.get("Retry-After"), time.monotonic() - begun


async def accepts_again(ingest: door.Ingest) -> None:
    async def accepted() -> bool:
        return (await answer_of(ingest, door.body()))[0] == 202

    await waiting.until(accepted, 60, "202 again")
    await ingest.running.until("/readyz", 200)


async def refuses_and_returns(
    ingest: door.Ingest, away: Callable[[], Awaitable[None]], back: Callable[[], Awaitable[None]]
) -> None:
    await away()
    answers = await asyncio.gather(*(answer_of(ingest, door.body(idempotency_key="k")) for _ in range(20)))
    assert {status for status, _, _ in answers} == {503}
    assert all(retry_after is not None and int(retry_after) >= 1 for _, retry_after, _ in answers)
    assert max(seconds for _, _, seconds in answers) < 5.0
    await ingest.running.until("/readyz", 503)
    assert await ingest.running.status("/livez") == 200
    await back()
    await accepts_again(ingest)
    mark = uuid.uuid4().hex
    await ingest.produce((door.body(source=mark), {"tenant": door.TENANT}))
    await ingest.written(door.ACCEPTED, lambda found: found["source"] == mark, 1)


async def test_without_kafka_the_answer_is_503_within_5_seconds_and_all_is_well_again_by_itself(
    broker: kafka.Kafka, database: databases.Database, tmp_path: pathlib.Path
) -> None:
    async def signalled(number: signal.Signals) -> None:
        assert broker.pid is not None
        os.kill(broker.pid, number)

    async def started() -> None:
        await broker.start()

    settings = KafkaSettings(kafka_bootstrap=broker.bootstrap)
    await topics_support.create(settings)
    async with door.ingest(database, settings, tmp_path) as ingest:
        await refuses_and_returns(ingest, broker.kill, started)
        await refuses_and_returns(ingest, lambda: signalled(signal.SIGSTOP), lambda: signalled(signal.SIGCONT))


async def test_of_what_a_hung_kafka_may_have_taken_no_dialect_says_that_nothing_was_sent(
    broker: kafka.Kafka, database: databases.Database, tmp_path: pathlib.Path
) -> None:
    settings = KafkaSettings(kafka_bootstrap=broker.bootstrap)
    await topics_support.create(settings)
    async with door.ingest(database, settings, tmp_path) as ingest:
        await ingest.owner.execute("INSERT INTO users (tenant, id) VALUES ($1, 'ada')", door.TENANT)
        headers = {"Authorization": f"Bearer {await ingest.new_key([access.Scope.DESKTOP_ASSISTANT])}"}
        call = {"notification_message": "Down", "recipient_list": "ada", "source": "pe"}
        path = "/api/sn_dex_desktop/notifications"
        await sam.seed(ingest.owner)
        caller = await sam.caller(ingest, "root", "SUPER_USER")
        body, keyed = sam_body.sent(version=2, message="Hung"), {"Idempotency-Key": "hung"}
        assert (await ingest.post(call, headers, path))[0] == 200
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            status, answer = await ingest.post(call, headers, path)
            said = await caller.send(body, keyed)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert (status, answer["responseCode"], answer["metadata"]) == (503, 503, {})
        assert "whether it was queued is unknown" in answer["message"]
        assert "nothing was queued" not in answer["message"]
        assert (said.status, said.json["exception"]) == (503, "WSInternalException")
        assert "whether it was sent is unknown" in said.json["message"]
        assert "nothing was sent" not in said.json["message"]

        async def repeated() -> bool:
            return (await caller.send(body, keyed)).status == 200

        await waiting.until(repeated, 60, "Kafka to answer again")
        found = await ingest.written(door.ACCEPTED, lambda record: record["description"] == "Hung", 1)
        assert len({record["notification_id"] for record in found}) == 1


async def test_without_postgresql_keys_are_deferred_and_only_what_needs_it_waits(
    server: postgres.Postgres, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with (
        databases.cloned(server.dsn()) as database,
        door.ingest(database, kafka_settings, tmp_path) as ingest,
    ):
        assert (await ingest.post(door.body(idempotency_key="k")))[1]["deduplication"] == "checked"
        await ingest.owner.close()
        await server.kill()
        bodies = [door.body(idempotency_key="k2", name=name) for name in ("one", "two")]
        answers = [await ingest.post(content) for content in bodies]
        assert [(status, answer["deduplication"]) for status, answer in answers] == [(202, "deferred")] * 2
        assert answers[0][1]["notification_id"] == answers[1][1]["notification_id"]
        messages = await ingest.written(
            door.ACCEPTED, lambda found: found["notification_id"] == answers[0][1]["notification_id"], 2
        )
        assert len({message["payload_hash"] for message in messages}) == 2
        assert (await ingest.post(door.body()))[1]["deduplication"] == "none"
        assert await ingest.metric("tocsin_deduplication_deferred_total") >= 2

        status, retry_after, seconds = await answer_of(ingest, door.body(schedule=SCHEDULE))
        assert (status, retry_after is not None, seconds < 5.0) == (503, True, True)
        stranger = {"Authorization": "Bearer tk_0123456789abcdef_" + "a" * 43}
        assert (await ingest.post(door.body(), stranger))[0] == 503
        _, batch = await ingest.post(
            {"notifications": [door.body(), door.body(schedule=SCHEDULE)]}, path="/v1/notifications/batch"
        )
        assert [result["status"] for result in batch["results"]] == [202, 503]

        await ingest.produce((door.body(source="now"), {"tenant": door.TENANT}))
        await ingest.written(door.ACCEPTED, lambda found: found["source"] == "now", 1)
        await ingest.produce((door.body(source="later", schedule=SCHEDULE), {"tenant": door.TENANT}))
        await server.start()
        await ingest.written([topics.SCHEDULED], lambda found: found["notification"]["source"] == "later", 1)

        async def checked() -> bool:
            return bool((await ingest.post(door.body(idempotency_key="k3")))[1]["deduplication"] == "checked")

        await waiting.until(checked, 30, "keys to be checked again")
        assert (await ingest.post(door.body(), stranger))[0] == 401


async def test_a_replica_that_starts_without_postgresql_is_not_ready_until_it_has_read_the_keys(
    server: postgres.Postgres, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with databases.cloned(server.dsn()) as database:
        async with door.ingest(database, kafka_settings, tmp_path) as first:
            key, told = first.key, first.told
        await server.kill()
        async with service.running("ingest", told) as replica, aiohttp.ClientSession() as http:
            await replica.until("/livez", 200)
            assert await replica.status("/readyz") == 503
            headers = {"Authorization": f"Bearer {key}"}
            async with http.post(replica.http + "/v1/notifications", json=door.body(), headers=headers) as response:
                assert response.status == 503
                assert "Retry-After" in response.headers
            await server.start()
            await replica.until("/readyz", 200)
            async with http.post(replica.http + "/v1/notifications", json=door.body(), headers=headers) as response:
                assert response.status == 202
            assert await replica.stop() == 0


async def test_a_replica_that_starts_without_kafka_says_503_and_ends_clean(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with door.ingest(database, kafka_settings, tmp_path) as first:
        key, told = first.key, {**first.told, "kafka_bootstrap": f"127.0.0.1:{service.free_port()}"}
    async with service.running("ingest", told) as replica, aiohttp.ClientSession() as http:
        await replica.until("/livez", 200)
        headers = {"Authorization": f"Bearer {key}"}

        async def away() -> bool:
            async with http.post(replica.http + "/v1/notifications", json=door.body(), headers=headers) as response:
                return response.status == 503 and "Kafka" in (await response.json(content_type=None))["detail"]

        await waiting.until(away, 10, "503 because of Kafka")
        assert await replica.status("/readyz") == 503
        assert await replica.stop() == 0


async def test_two_replicas_agree_on_one_body_and_a_stopping_one_answers_what_it_has_taken(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with (
        door.ingest(database, kafka_settings, tmp_path) as ingest,
        service.running("ingest", ingest.told) as other,
    ):
        await other.until("/readyz", 200)
        homes, bodies = (ingest.running.http, other.http), [door.body(idempotency_key="k", name=n) for n in "ab"]
        headers = {"Authorization": f"Bearer {ingest.key}"}

        async def asked(number: int) -> tuple[int, str]:
            url, content = homes[number % 2] + "/v1/notifications", bodies[number // 2 % 2]
            async with ingest.http.post(url, json=content, headers=headers) as response:
                await response.read()
                return response.status, content["name"]

        results = await asyncio.gather(*(asked(number) for number in range(60)))
        assert {name for status, name in results if status == 202} != {"a", "b"}
        assert sorted(status for status, _ in results) == [202] * 30 + [422] * 30

        accepted: set[str] = set()

        async def until_refused(worker: int) -> None:
            for number in range(100_000):
                content = door.body(name=f"{worker}-{number}")
                try:
                    async with ingest.http.post(other.http + "/v1/notifications", json=content, headers=headers) as got:
                        answer = await got.json(content_type=None)
                except aiohttp.ClientConnectionError:
                    return
                assert got.status == 202, answer
                accepted.add(answer["notification_id"])

        async with asyncio.TaskGroup() as group:
            for worker in range(8):
                group.create_task(until_refused(worker))
            await waiting.until(lambda: _more_than(accepted, 50), 30, "50 notifications")
            assert await other.stop() == 0
        found = await ingest.written(
            door.ACCEPTED, lambda message: message["notification_id"] in accepted, len(accepted)
        )
        assert {message["notification_id"] for message in found} == accepted


async def _more_than(found: set[str], count: int) -> bool:
    return len(found) > count


async def test_more_than_it_can_hold_at_once_is_answered_503_and_those_inside_are_served(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    async with door.ingest(database, kafka_settings, tmp_path, max_in_flight="1") as ingest:
        begun, rest = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            whole = json.dumps(door.body()).encode()
            yield whole[:10]
            begun.set()
            await rest.wait()
            yield whole[10:]

        async def refused() -> bool:
            status, retry_after, _ = await answer_of(ingest, door.body())
            return status == 503 and retry_after is not None

        url, headers = ingest.running.http + "/v1/notifications", {"Authorization": f"Bearer {ingest.key}"}
        async with asyncio.TaskGroup() as group:
            inside = group.create_task(ingest.http.post(url, data=slowly(), headers=headers).__aenter__())
            await begun.wait()
            await waiting.until(refused, 10, "503 while the only place is taken")
            rest.set()
        assert inside.result().status == 202
        inside.result().release()
        assert await ingest.metric("tocsin_http_overloaded_total") >= 1
        await accepts_again(ingest)
