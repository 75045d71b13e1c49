"""Each HTTP API keeps to its OpenAPI document, whatever is thrown at it: every check of Schemathesis, seeded."""

import contextlib
import json
import pathlib
import sys
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from deploy.reference import openapi
from shared.runtime.settings import KafkaSettings
from tests.support import api, databases, fuzzing, rows, service, unsubscribing

TENANT = "acme"


@pytest_asyncio.fixture
async def owner(database: databases.Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await rows.owner(database.owner)
    yield connection
    await connection.close()


@contextlib.asynccontextmanager
async def serving(
    name: str, database: databases.Database, kafka: KafkaSettings, folder: pathlib.Path
) -> AsyncIterator[service.Service]:
    """A service as its own process, as in production."""
    secret = str(api.secret_file(folder))
    told = {
        "postgres_dsn": database.dsn(name),
        "kafka_bootstrap": kafka.kafka_bootstrap,
        "topic_prefix": kafka.topic_prefix,
        "api_key_secret_file": secret,
        "inbox_token_secret_file": secret,
        **unsubscribing.SETTINGS,
        "log_level": "warning",
    }
    async with service.running(name, told) as running:
        await running.until("/readyz", 200)
        yield running
        assert await running.stop() == 0


async def recipient_token(inbox: str, admin: dict[str, str]) -> str:
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{inbox}/v1/inbox/tokens", headers=admin, json={"recipient": "ada"})
        return str((await answer.json())["token"])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["console", "inbox", "ingest"])
async def test_an_api_keeps_to_its_document(
    name: str,
    database: databases.Database,
    kafka_settings: KafkaSettings,
    owner: asyncpg.Connection,
    tmp_path: pathlib.Path,
) -> None:
    admin = await api.key(owner, TENANT)
    shown = await rows.open_action(owner, tenant=TENANT)
    await rows.item(owner, shown, "ada")
    known = {"item": str(shown["id"]), "notification_id": str(shown["id"]), "user": "ada"}
    async with serving(name, database, kafka_settings, tmp_path) as running:
        credentials = {"apiKey": admin["Authorization"].removeprefix("Bearer ")}
        if name == "inbox":
            credentials["recipientToken"] = await recipient_token(running.http, admin)
        fuzzed = fuzzing.Api(running.http, json.loads(openapi.documents()[name]), credentials, known)
        code, report = await fuzzing.run(fuzzed, tmp_path)
        sys.stdout.write(report)
        operations = sum(len(path) for path in fuzzed.document["paths"].values())
        if code != 0 or f"Tested: {operations}\n" not in report:
            pytest.fail(report, pytrace=False)
