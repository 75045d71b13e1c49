"""Commands that prepare an installation, against a real PostgreSQL and Kafka."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from shared import access
from shared.contract.topics import TOPICS
from tests.support import databases
from tests.support.commands import Ran, tocsin


async def ran(*arguments: str) -> Ran:
    return await asyncio.to_thread(tocsin, *arguments)


async def test_migrate_brings_an_empty_database_up_to_date_once(postgres_server: str) -> None:
    async with databases.empty(postgres_server) as dsn:
        first = await ran("migrate", "--postgres", dsn, "--json")
        again = await ran("migrate", "--postgres", dsn, "--json")
    assert (first.code, again.code) == (0, 0)
    assert first.json["applied"][0].startswith("0001_")
    assert again.json == {"applied": []}


async def test_a_database_that_does_not_answer_is_unavailable() -> None:
    ran_ = await ran("migrate", "--postgres", "postgresql://nobody@127.0.0.1:1/none")
    assert (ran_.code, "Traceback" in ran_.err) == (3, False)


async def test_a_tenants_first_key_opens_what_the_services_check(database: databases.Database, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret-of-this-test\n")
    made = await ran("tenants", "create", "acme", "--name", "Acme", "--postgres", database.owner,
                     "--secret-file", str(secret), "--json")  # fmt: skip
    assert made.code == 0, made.err
    key = made.json["key"]
    connection = await asyncpg.connect(database.owner)
    try:
        stored = await connection.fetchrow("SELECT * FROM api_keys WHERE id = $1", access.key_id(key))
        assert await connection.fetchval("SELECT name FROM tenants WHERE id = 'acme'") == "Acme"
    finally:
        await connection.close()
    assert stored is not None
    assert (stored["tenant"], stored["scopes"]) == ("acme", ["admin"])
    assert stored["hmac"] == access.key_hmac(key, b"s3cret-of-this-test")


async def test_topics_create_makes_each_topic_once(
    kafka_bootstrap: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", topic_prefix)
    first = await ran("topics", "create", "--kafka", kafka_bootstrap, "--json")
    again = await ran("topics", "create", "--kafka", kafka_bootstrap)
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert set(first.json["created"]) == {topic_prefix + topic.name for topic in TOPICS}
    assert again.out == "every topic is there\n"
