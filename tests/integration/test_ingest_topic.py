"""The topic door on real Kafka and PostgreSQL: every record is accepted or answered, and none holds up the others."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from services.ingest.dialects import cloudevents
from shared import owners
from shared.contract import ids, topics
from shared.postgres import bodies
from tests.support import door

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACME = {"tenant": door.TENANT}
EVENT = {"specversion": "1.0", "id": "e-1", "source": "/crm", "type": cloudevents.TYPE}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ingest(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[door.Ingest]:
    """One ingest for this file: its tests keep apart by a mark in their records."""
    folder = tmp_path_factory.mktemp("ingest")
    async with door.alone(kafka_bootstrap, postgres_server, folder) as running:
        yield running


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


async def accepted(ingest: door.Ingest, mark: str, count: int) -> list[door.Json]:
    return await ingest.written(door.ACCEPTED, lambda found: mark in found["source"], count)


async def rejected(ingest: door.Ingest, mark: str, count: int) -> list[door.Json]:
    def marked(found: door.Json) -> bool:
        return base64.b64decode(found["headers"].get("mark", "")) == mark.encode()

    return await ingest.written([topics.REJECTED], marked, count)


@pytest.mark.parametrize(
    ("content", "headers", "key"),
    [
        pytest.param(door.body(), {}, None, id="native"),
        pytest.param(door.body(), {"idempotency-key": "a"}, ("", "a"), id="native with a key"),
        pytest.param(door.body(idempotency_key="a"), {"idempotency-key": "a"}, ("", "a"), id="key twice"),
        pytest.param(
            {**EVENT, "data": door.body()}, {"content-type": cloudevents.MEDIA_TYPE}, ("/crm", "e-1"), id="structured"
        ),
        pytest.param(
            door.body(),
            {"content-type": "application/json", **{f"ce_{name}": value for name, value in EVENT.items()}},
            ("/crm", "e-1"),
            id="binary",
        ),
    ],
)
async def test_a_record_is_accepted_in_every_content_mode(
    ingest: door.Ingest, mark: str, content: door.Json, headers: Mapping[str, str], key: tuple[str, str] | None
) -> None:
    content.get("data", content)["source"] = mark
    await ingest.produce((content, {**ACME, **headers}))
    (message,) = await accepted(ingest, mark, 1)
    assert (message["tenant"], message["door"], message["owner"]) == (door.TENANT, "topic", "topic")
    assert (message["payload_hash"] is None) == (key is None)
    if key is not None:
        expected = ids.keyed_notification(door.TENANT, key[0] or mark, key[1])
        assert message["notification_id"] == str(expected)


async def test_the_identity_of_a_record_without_key_is_its_position(ingest: door.Ingest, mark: str) -> None:
    await ingest.produce((door.body(source=mark, name="one"), ACME), (door.body(source=mark, name="two"), ACME))
    messages = await accepted(ingest, mark, 2)
    positions = {
        str(ids.positioned_notification(door.TENANT, "1", topics.REQUESTS, partition, offset))
        for partition in range(2)
        for offset in range(200)
    }
    assert len({message["notification_id"] for message in messages}) == 2
    assert {message["notification_id"] for message in messages} <= positions


@pytest.mark.parametrize(
    ("content", "headers", "codes"),
    [
        pytest.param(b"hello", ACME, {"not_json"}, id="not JSON"),
        pytest.param(b'{"name": "\xff\xfe"}', ACME, {"not_utf8"}, id="bad UTF-8"),
        pytest.param(None, ACME, {"no_value"}, id="no value"),
        pytest.param(b"", ACME, {"not_json"}, id="empty value"),
        pytest.param(b"[" * 5_000, ACME, {"too_deep"}, id="deep JSON"),
        pytest.param(door.body(name=5), ACME, {"string_type"}, id="wrong type"),
        pytest.param(door.body(nmae="x"), ACME, {"extra_forbidden"}, id="unknown field"),
        pytest.param({"source": "s"}, ACME, {"missing"}, id="missing fields"),
        pytest.param(door.body(name="n" * 5_000), ACME, {"string_too_long"}, id="5,000-character name"),
        pytest.param(door.body(name="\x00"), ACME, {"nul"}, id="NUL"),
        pytest.param(door.body(name="\ud800"), ACME, {"lone_surrogate"}, id="lone surrogate"),
        pytest.param(door.body(recipients=[str(n) for n in range(10_001)]), ACME, {"too_long"}, id="10,001 recipients"),
        pytest.param(door.body(importance="critical"), ACME, {"enum"}, id="unknown importance"),
        pytest.param(door.body(expires_at="2020-01-01T00:00:00Z"), ACME, {"past"}, id="past expires_at"),
        pytest.param(door.body(), {}, {"unknown_tenant"}, id="no tenant"),
        pytest.param(door.body(), {"tenant": "nobody"}, {"unknown_tenant"}, id="unknown tenant"),
        pytest.param(door.body(), {"tenant": b"\xff"}, {"not_utf8"}, id="tenant that is no text"),
        pytest.param(door.body(), {**ACME, "dialect": "morse"}, {"unsupported"}, id="dialect"),
        pytest.param(door.body(idempotency_key="a"), {**ACME, "idempotency-key": "b"}, {"keys_differ"}, id="keys"),
        pytest.param(EVENT, {**ACME, "content-type": cloudevents.MEDIA_TYPE}, {"missing"}, id="event without data"),
    ],
)
async def test_what_cannot_be_is_answered_with_every_error_and_the_original(
    ingest: door.Ingest, mark: str, content: Any, headers: Mapping[str, str | bytes], codes: set[str]
) -> None:
    await ingest.produce((content, {**headers, "mark": mark}), (door.body(source=mark), ACME))
    (answer,) = await rejected(ingest, mark, 1)
    assert {error["code"] for error in answer["errors"]} == codes
    assert all(error["detail"] for error in answer["errors"])
    original = None if answer["original"] is None else base64.b64decode(answer["original"])
    assert original == (content if isinstance(content, bytes | None) else json.dumps(content).encode())
    assert base64.b64decode(answer["key"]) == b"key"
    assert answer["topic"] == topics.REQUESTS
    named = headers.get("tenant") == door.TENANT
    assert answer["tenant"] == (door.TENANT if named else None)
    await accepted(ingest, mark, 1)
    if named:
        subject = answer["notification_id"]
        (event,) = await ingest.written([topics.EVENTS], lambda found: found["subject"] == subject, 1)
        assert (event["type"], event["tenant"]) == ("tocsin.notification.rejected.v1", door.TENANT)


async def test_records_of_unknown_tenants_do_not_hold_up_the_others(ingest: door.Ingest, mark: str) -> None:
    # Each of them waited for a question to PostgreSQL of its own: 400 took twenty seconds at least.
    strange = [(door.body(), {"tenant": f"nobody-{number}"}) for number in range(400)]
    async with asyncio.timeout(10):
        await ingest.produce(*strange, (door.body(source=mark), ACME))
        await accepted(ingest, mark, 1)


async def test_a_large_original_is_kept_elsewhere_and_its_reference_given(ingest: door.Ingest, mark: str) -> None:
    content = b'"' + mark.encode() + b"x" * 900_000
    await ingest.produce((content, {**ACME, "mark": mark}))
    (answer,) = await rejected(ingest, mark, 1)
    assert (answer["original"], answer["original_ref"]) == (None, bodies.reference(content).hex())
    kept = "SELECT content FROM bodies WHERE tenant = $1 AND hash = $2 AND keep_until > now() + interval '6 days'"
    assert await ingest.owner.fetchval(kept, door.TENANT, bytes.fromhex(answer["original_ref"])) == content


async def test_headers_that_would_not_fit_beside_the_original_are_left_out_and_it_says_so(ingest: door.Ingest) -> None:
    content = b"hello " + uuid.uuid4().bytes
    await ingest.produce((content, {**ACME, "huge": "h" * 400_000}))

    def mine(found: door.Json) -> bool:
        return bool(found["original"] == base64.b64encode(content).decode())

    (answer,) = await ingest.written([topics.REJECTED], mine, 1)
    assert answer["headers"] == {}
    assert "headers_too_large" in {error["code"] for error in answer["errors"]}


async def test_a_header_that_means_something_may_not_stand_twice(ingest: door.Ingest, mark: str) -> None:
    headers = [("tenant", b"acme"), ("tenant", b"globex"), ("mark", mark.encode())]
    await ingest.produce((door.body(), headers))
    (answer,) = await rejected(ingest, mark, 1)
    assert [error["code"] for error in answer["errors"]] == ["duplicate_header"]


async def test_a_record_may_speak_for_an_owner_who_may_do_less(ingest: door.Ingest, mark: str) -> None:
    owner = owners.of_user("u" * 255)
    await ingest.produce((door.body(source=mark), {**ACME, owners.HEADER: owner}))
    (message,) = await accepted(ingest, mark, 1)
    assert message["owner"] == owner


@pytest.mark.parametrize("owner", ["", "a\nb", "o" * (owners.LONGEST + 1)], ids=["nobody", "two lines", "too long"])
async def test_a_record_that_names_no_owner_there_could_be_is_answered(
    ingest: door.Ingest, mark: str, owner: str
) -> None:
    await ingest.produce((door.body(), {**ACME, owners.HEADER: owner, "mark": mark}))
    (answer,) = await rejected(ingest, mark, 1)
    assert [error["code"] for error in answer["errors"]] == ["no_owner"]


async def test_a_tenant_made_a_moment_ago_is_known(ingest: door.Ingest, mark: str) -> None:
    await ingest.owner.execute("INSERT INTO tenants (id) VALUES ($1)", mark)
    await ingest.produce((door.body(source=mark), {"tenant": mark}))
    (message,) = await accepted(ingest, mark, 1)
    assert message["tenant"] == mark


async def test_a_record_for_later_is_scheduled_once_per_key_and_a_conflict_is_answered(
    ingest: door.Ingest, mark: str
) -> None:
    schedule = {"local": "2030-10-27T02:30:00", "timezone": "Europe/Berlin"}
    asked = door.body(source=mark, schedule=schedule, idempotency_key="later")
    await ingest.produce(*[(content, {**ACME, "mark": mark}) for content in (asked, asked, {**asked, "name": "Else"})])
    (answer,) = await rejected(ingest, mark, 1)
    assert [error["code"] for error in answer["errors"]] == ["key_conflict"]
    messages = await ingest.written([topics.SCHEDULED], lambda found: found["notification"]["source"] == mark, 2)
    assert {(message["schedule_id"], message["due_at"]) for message in messages} == {
        (messages[0]["schedule_id"], "2030-10-27T00:30:00Z")
    }
    assert answer["notification_id"] == messages[0]["notification"]["notification_id"]


async def test_two_thousand_records_with_poison_among_them_are_all_accepted_or_answered(
    ingest: door.Ingest, mark: str
) -> None:
    asked = [
        (b"poison" if number % 10 == 0 else door.body(source=mark, name=str(number)), {**ACME, "mark": mark})
        for number in range(2_000)
    ]
    await ingest.produce(*asked)
    assert len(await rejected(ingest, mark, 200)) == 200
    names = [message["name"] for message in await accepted(ingest, mark, 1_800)]
    assert sorted(names) == sorted(str(number) for number in range(2_000) if number % 10)
    assert await ingest.metric('tocsin_dropped_total{reason="undecodable",stage="topic"}') >= 200
