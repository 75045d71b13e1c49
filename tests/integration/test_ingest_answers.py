"""What is wrong with a record can be said in an answer that Kafka takes, however the record was made."""

import base64
import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from shared.contract import field_errors, topics
from shared.postgres import bodies
from tests.support import door

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACME = {"tenant": door.TENANT}
LARGEST_ANSWER_BYTES = 64 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ingest(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[door.Ingest]:
    """One ingest for this file: a record that ends it fails every test after it."""
    async with door.alone(kafka_bootstrap, postgres_server, tmp_path_factory.mktemp("answers")) as running:
        yield running


async def answered(ingest: door.Ingest, content: bytes, headers: door.Headers) -> door.Json:
    """The answer to a record, once the record behind it was accepted too."""
    mark = uuid.uuid4().hex
    await ingest.produce((content, headers), (door.body(source=mark), ACME))
    [answer] = await ingest.written([topics.REJECTED], of(content), 1)
    await ingest.written(door.ACCEPTED, lambda found: found["source"] == mark, 1)
    return answer


def of(content: bytes) -> Callable[[door.Json], bool]:
    inline, reference = base64.b64encode(content).decode(), bodies.reference(content).hex()
    return lambda found: inline == found["original"] or reference == found["original_ref"]


def codes(answer: door.Json) -> list[str]:
    return [error["code"] for error in answer["errors"]]


def size_of_errors(answer: door.Json) -> int:
    return len(json.dumps(answer["errors"]))


async def test_more_errors_of_a_send_notification_than_fit_are_counted(ingest: door.Ingest) -> None:
    body: dict[str, Any] = {"version": 3, "type": "GE", "key": "k", "message": "m", "values": [0] * 150_000}
    answer = await answered(ingest, json.dumps(body).encode(), {**ACME, "dialect": "sam"})
    assert len(answer["errors"]) == field_errors.MOST_ERRORS + 1
    assert answer["errors"][-1]["detail"] == "and 149900 errors more"
    assert size_of_errors(answer) < LARGEST_ANSWER_BYTES


def unstorable_below_a_long_name() -> bytes:
    return json.dumps({"n" * 400_000: ["\x00"] * 50_000}).encode()


async def test_a_long_name_is_cut_where_errors_point_below_it(ingest: door.Ingest) -> None:
    answer = await answered(ingest, unstorable_below_a_long_name(), ACME)
    assert set(codes(answer)) == {"nul", "more_errors"}
    assert answer["errors"][0]["pointer"].startswith("/nnn")
    assert size_of_errors(answer) < LARGEST_ANSWER_BYTES


async def test_over_http_a_long_name_is_cut_too(ingest: door.Ingest) -> None:
    status, problem = await ingest.post(unstorable_below_a_long_name())
    assert status == 422
    assert {error["code"] for error in problem["errors"]} == {"nul", "more_errors"}
    assert len(json.dumps(problem)) < LARGEST_ANSWER_BYTES


@pytest.mark.parametrize(
    ("values", "code"),
    [pytest.param([b"\xff"], "not_utf8", id="no text"), pytest.param([b"a", b"b"], "duplicate_header", id="twice")],
)
async def test_the_name_of_a_header_is_told_cut(ingest: door.Ingest, values: list[bytes], code: str) -> None:
    content = uuid.uuid4().hex.encode() + b"x" * 300_000
    name = "ce_" + "h" * (600_000 // len(values))
    answer = await answered(ingest, content, [("tenant", b"acme"), *((name, value) for value in values)])
    assert codes(answer) == [code, "headers_too_large"]
    assert "ce_hhh" in answer["errors"][0]["detail"]
    assert size_of_errors(answer) < LARGEST_ANSWER_BYTES


async def test_an_answer_that_kafka_does_not_take_is_shortened_and_its_neighbours_are_not(ingest: door.Ingest) -> None:
    # Each character of the header's name takes six in JSON, each three bytes of the original four in base64.
    content = uuid.uuid4().hex.encode() + b"x" * (bodies.LARGEST_INLINE_BYTES - 32)
    small = uuid.uuid4().hex.encode()
    await ingest.produce((small, {**ACME, "mine": "kept"}), (content, {**ACME, "\x01" * 65_000: ""}))
    [answer] = await ingest.written([topics.REJECTED], of(content), 1)
    assert codes(answer) == ["not_json", "answer_shortened"]
    assert (answer["key"], answer["headers"], answer["original"]) == (None, {}, None)
    kept = "SELECT content FROM bodies WHERE tenant = $1 AND hash = $2"
    assert await ingest.owner.fetchval(kept, door.TENANT, bytes.fromhex(answer["original_ref"])) == content
    subject = answer["notification_id"]
    assert await ingest.written([topics.EVENTS], lambda found: found["subject"] == subject, 1)
    [beside] = await ingest.written([topics.REJECTED], of(small), 1)
    assert (codes(beside), set(beside["headers"])) == (["not_json"], {"tenant", "mine"})


async def test_a_send_notification_that_was_compressed_is_held_to_the_same_size(ingest: door.Ingest) -> None:
    # Kafka's limit counts what a producer has compressed.
    body = {"version": 3, "type": "GE", "key": "k", "message": "m", "emailBody": "<p>" + "x" * 2_000_000}
    content, mark = json.dumps(body).encode(), uuid.uuid4().hex
    headers = [("tenant", b"acme"), ("dialect", b"sam"), ("idempotency-key", b"large")]
    producer = AIOKafkaProducer(
        bootstrap_servers=ingest.kafka.kafka_bootstrap, compression_type="gzip", max_request_size=8_388_608
    )
    async with producer:
        for given in (headers, headers[:2]):
            await producer.send_and_wait(ingest.kafka.topic(topics.REQUESTS), content, headers=given)
    await ingest.produce((door.body(source=mark), ACME))
    answers = await ingest.written([topics.REJECTED], of(content), 2)
    assert {(*codes(answer), answer["original"]) for answer in answers} == {("WSInvalidParameterException", None)}
    assert all("POST /v1/bodies" in answer["errors"][0]["detail"] for answer in answers)
    await ingest.written(door.ACCEPTED, lambda found: found["source"] == mark, 1)
