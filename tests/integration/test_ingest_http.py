"""The HTTP door on real Kafka and PostgreSQL: what is accepted, what is refused, and how it says so."""

import pathlib
from collections.abc import AsyncIterator

import pytest_asyncio

from shared.runtime.settings import KafkaSettings
from tests.support import databases, door


@pytest_asyncio.fixture
async def ingest(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> AsyncIterator[door.Ingest]:
    async with door.ingest(database, kafka_settings, tmp_path) as running:
        yield running


async def test_a_request_is_answered_202_with_its_id_and_stands_on_the_topic_of_its_lane(ingest: door.Ingest) -> None:
    status, answer = await ingest.post(door.body(importance="danger", recipients=["ada", "grace", "ada"]))
    assert status == 202, answer
    assert (answer["status"], answer["schedule_id"], answer["deduplication"]) == ("accepted", None, "none")
    (message,) = await ingest.accepted(1)
    assert message["notification_id"] == answer["notification_id"]
    assert message["recipients"] == ["ada", "grace"]
    assert (message["tenant"], message["lane"], message["door"]) == (door.TENANT, "urgent", "http")
    assert await ingest.metric('tocsin_notifications_accepted_total{door="http",lane="urgent"}') == 1
