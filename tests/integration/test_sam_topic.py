"""sendNotification on notifications.requests: the same body, the same rules, errors on notifications.rejected."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.contract import topics
from tests.support import door, sam, waiting
from tests.support.sam import Caller
from tests.unit.test_sam_body import EXAMPLES, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEADERS = {"tenant": door.TENANT, "dialect": "sam"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Caller]:
    async with sam.running(kafka_bootstrap, postgres_server, tmp_path_factory.mktemp("sam")) as running:
        yield running


async def test_the_examples_of_the_source_are_taken_word_by_word(caller: Caller) -> None:
    await caller.ingest.produce(*[(example.encode(), HEADERS) for example in EXAMPLES])
    said = {"This is test message for event team ids 456 and 459", "This is test message for team ids 23 and 27"}
    found = await caller.ingest.written(door.ACCEPTED, lambda record: record["description"] in said, 2)
    assert {record["audience"]["kind"] for record in found} == {"event_team", "team"}
    assert {(record["door"], record["owner"]) for record in found} == {("topic", "topic")}
    [later] = await caller.ingest.written(
        [topics.SCHEDULED], lambda record: "PFIZER" in record["notification"]["description"], 1
    )
    assert later["notification"]["recipients"] == ["aaron"]


async def test_what_is_wrong_is_answered_by_the_sources_names(caller: Caller) -> None:
    wrong: list[Any] = [sent(key=7), sent("GE", key="77"), sent("UN", values=["nobody"]), b"hello", None]
    await caller.ingest.produce(*[(each, HEADERS) for each in wrong])
    rejected = await caller.ingest.written(
        [topics.REJECTED], lambda record: "idempotency-key" not in record["headers"], len(wrong)
    )
    told = {(error["code"], error["pointer"]) for record in rejected for error in record["errors"]}
    assert told == {
        ("WSInvalidParameterException", "/key"),
        ("WSEventServiceException", "/key"),
        ("WSInvalidParameterException", "/values"),
        ("WSInvalidParameterException", ""),
    }


async def test_the_same_key_makes_one_notification_whatever_comes_after_it(caller: Caller) -> None:
    keyed = {**HEADERS, "idempotency-key": "order-1"}
    body = sent(version=3, message="Once")
    await caller.ingest.produce((body, keyed), (body, keyed), (sent(version=3, message="Other"), keyed))
    [conflict] = await caller.ingest.written(
        [topics.REJECTED], lambda record: record["errors"][0]["code"] == "key_conflict", 1
    )
    once = await caller.ingest.written(
        [topics.SCHEDULED], lambda record: record["notification"]["description"] == "Once", 1
    )
    assert {record["notification"]["notification_id"] for record in once} == {conflict["notification_id"]}
    assert len({record["schedule_id"] for record in once}) == 1


async def test_a_record_that_is_read_again_after_its_time_is_taken_as_then(caller: Caller) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    local = soon.replace(tzinfo=None).isoformat(timespec="microseconds")
    body = sent(scheduleTimezoneId="UTC", scheduleLocalDateTime=local, message="Read again")
    keyed = {**HEADERS, "idempotency-key": "in time"}

    async def read(times: int) -> set[int]:
        await caller.ingest.produce((body, keyed))
        found = await caller.ingest.written(
            [topics.SCHEDULED], lambda record: record["notification"]["description"] == "Read again", times
        )
        return {record["schedule_id"] for record in found}

    async def too_late() -> bool:
        return datetime.now(UTC) > soon

    first = await read(1)
    await waiting.until(too_late, 10, "its time")
    assert await read(2) == first


@pytest.mark.parametrize("key", ["", "two\nlines", "k" * 256], ids=["empty", "two lines", "256 characters"])
async def test_a_key_that_is_none_is_an_error(caller: Caller, key: str) -> None:
    message = f"key {len(key)}"
    await caller.ingest.produce((sent(version=2, message=message), {**HEADERS, "idempotency-key": key}))
    [rejected] = await caller.ingest.written(
        [topics.REJECTED], lambda record: record["errors"][0]["pointer"] == "/idempotency-key" and _is(record, key), 1
    )
    assert rejected["errors"][0]["code"] == "WSInvalidParameterException"


def _is(record: door.Json, key: str) -> bool:
    return bool(record["headers"]["idempotency-key"] == base64.b64encode(key.encode()).decode())
