"""The HTTP door on real Kafka and PostgreSQL: what is accepted, what is refused, and how it says so."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.ingest import routine_lag
from services.ingest.dialects import cloudevents
from shared.contract import topics
from shared.contract.importance import Lane
from shared.kafka.consumer import open_consumer
from tests.support import door, waiting

MIB = 1_048_576
DUPLICATES = 'tocsin_dropped_total{reason="duplicate",stage="http"}'


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ingest(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[door.Ingest]:
    """One ingest for this file: its tests keep apart by names and keys."""
    folder = tmp_path_factory.mktemp("ingest")
    async with door.alone(kafka_bootstrap, postgres_server, folder) as running:
        yield running


def codes(answer: door.Json) -> set[tuple[str, str]]:
    return {(error["pointer"], error["code"]) for error in answer["errors"]}


async def test_a_request_is_answered_202_with_its_id_and_stands_on_the_topic_of_its_lane(ingest: door.Ingest) -> None:
    status, answer = await ingest.post(door.body(importance="danger", recipients=["ada", "grace", "ada"]))
    assert status == 202, answer
    assert (answer["status"], answer["schedule_id"], answer["deduplication"]) == ("accepted", None, "none")
    (message,) = await ingest.accepted(answer)
    assert message["recipients"] == ["ada", "grace"]
    assert (message["tenant"], message["lane"], message["door"]) == (door.TENANT, "urgent", "http")
    assert await ingest.metric('tocsin_notifications_accepted_total{door="http",lane="urgent"}') >= 1


@pytest.mark.parametrize(
    ("content", "status", "expected"),
    [
        pytest.param(b"hello", 422, {("", "not_json")}, id="not JSON"),
        pytest.param(b"", 422, {("", "not_json")}, id="no body"),
        pytest.param(b'{"name": "\xff"}', 422, {("", "not_utf8")}, id="not UTF-8"),
        pytest.param(b"[" * 1_000, 422, {("", "too_deep")}, id="deep"),
        pytest.param(door.body(name=5), 422, {("/name", "string_type")}, id="wrong type"),
        pytest.param(door.body(nmae="x"), 422, {("/nmae", "extra_forbidden")}, id="unknown field"),
        pytest.param(
            {"source": "billing", "recipients": ["ada"]},
            422,
            {("/name", "missing"), ("/description", "missing")},
            id="missing fields",
        ),
        pytest.param(door.body(name="n" * 5_000), 422, {("/name", "string_too_long")}, id="5,000-character name"),
        pytest.param(door.body(name="a\x00b"), 422, {("/name", "nul")}, id="NUL"),
        pytest.param(door.body(name="\ud800"), 422, {("/name", "lone_surrogate")}, id="lone surrogate"),
        pytest.param(
            door.body(**{"\ud800": 1}),
            422,
            {("", "lone_surrogate"), ("/?", "extra_forbidden")},
            id="lone surrogate as a name",
        ),
        pytest.param(
            door.body(recipients=[f"r{number}" for number in range(10_001)]),
            422,
            {("/recipients", "too_long")},
            id="10,001 recipients",
        ),
        pytest.param(door.body(importance="critical"), 422, {("/importance", "enum")}, id="unknown importance"),
        pytest.param(door.body(expires_at="2020-01-01T00:00:00Z"), 422, {("/expires_at", "past")}, id="past expiry"),
        pytest.param(b'"' + b"x" * 10_000_000 + b'"', 413, {("", "too_large")}, id="10 MB"),
    ],
)
async def test_what_cannot_be_is_refused_with_every_error_and_nothing_is_written(
    ingest: door.Ingest, content: Any, status: int, expected: set[tuple[str, str]]
) -> None:
    before = await ingest.ends()
    answered, answer = await ingest.post(content)
    assert (answered, codes(answer)) == (status, expected), answer
    assert (answer["status"], answer["type"]) == (status, "about:blank")
    assert all(error["detail"] for error in answer["errors"])
    assert await ingest.ends() == before


async def test_ten_megabytes_in_chunks_are_refused(ingest: door.Ingest) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b"x" * 65_536

    headers = {"Authorization": f"Bearer {ingest.key}"}
    url = ingest.running.http + "/v1/notifications"
    async with ingest.http.post(url, data=chunks(), headers=headers) as response:
        assert response.status == 413
        assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
async def test_a_caller_that_sends_all_of_a_large_body_first_reads_the_refusal_too(
    ingest: door.Ingest, framing: str
) -> None:
    large = b"x" * 10_000_000
    body: bytes | Iterator[bytes] = large if framing == "content-length" else iter([large])
    status, answer = await asyncio.to_thread(door.told_after_sending, ingest, body)
    assert (status, answer["status"]) == (413, 413)


async def test_a_body_of_exactly_one_mebibyte_is_accepted(ingest: door.Ingest) -> None:
    whole = door.body(recipients=[f"{number:04}{'é' * 125}" for number in range(4_000)], description="")
    short = MIB - len(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode())
    whole["recipients"] += [f"{number:0250}" for number in range(short // 253)]
    whole["description"] = "d" * (short % 253)
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(text) == MIB
    status, answer = await ingest.post(text)
    assert status == 202, answer
    (message,) = await ingest.accepted(answer)
    assert len(message["recipients"]) > 4_000


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param(None, 401, id="none"),
        pytest.param("Basic YTpi", 401, id="another scheme"),
        pytest.param("Bearer nonsense", 401, id="no key"),
        pytest.param("Bearer tk_0123456789abcdef_" + "a" * 43, 401, id="unknown key"),
    ],
)
async def test_without_a_key_there_is_no_answer_but_401(
    ingest: door.Ingest, authorization: str | None, status: int
) -> None:
    url = ingest.running.http + "/v1/notifications"
    headers = {} if authorization is None else {"Authorization": authorization}
    async with ingest.http.post(url, json=door.body(), headers=headers) as response:
        assert response.status == status
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "key" in (await response.json(content_type=None))["detail"]


async def test_a_key_works_at_once_and_ends_when_it_expires_or_is_revoked(ingest: door.Ingest) -> None:
    async def status_of(key: str) -> int:
        return (await ingest.post(door.body(), {"Authorization": f"Bearer {key}"}))[0]

    expired, revoked = await ingest.new_key(["publish"]), await ingest.new_key(["publish"])
    assert (await status_of(expired), await status_of(revoked)) == (202, 202)
    change = "UPDATE api_keys SET {} = now(), changed_at = clock_timestamp() WHERE id = $1"
    await ingest.owner.execute(change.format("expires_at"), expired.split("_")[1])
    await ingest.owner.execute(change.format("revoked_at"), revoked.split("_")[1])

    async def both_refused() -> bool:
        return (await status_of(expired), await status_of(revoked)) == (401, 401)

    await waiting.until(both_refused, 10, "401 for the expired and the revoked key")


@pytest.mark.parametrize(
    ("scopes", "class_key", "status"),
    [
        (["publish"], "alarms", 202),
        (["admin"], "alarms", 202),
        (["publish:alarms"], "alarms", 202),
        (["publish:alarms"], "other", 403),
        (["directory", "trace"], "alarms", 403),
    ],
)
async def test_a_key_publishes_what_its_scopes_say(
    ingest: door.Ingest, scopes: list[str], class_key: str, status: int
) -> None:
    key = await ingest.new_key(scopes)
    answered, answer = await ingest.post(door.body(class_key=class_key), {"Authorization": f"Bearer {key}"})
    assert answered == status, answer


async def test_the_same_key_and_body_give_the_same_answer_and_another_body_422(ingest: door.Ingest) -> None:
    first = await ingest.post(door.body(idempotency_key="order-77"))
    assert first[0] == 202
    assert first[1]["deduplication"] == "checked"
    assert await ingest.post(door.body(idempotency_key="order-77")) == first
    status, answer = await ingest.post(door.body(idempotency_key="order-77", name="Another"))
    assert (status, codes(answer)) == (422, {("", "key_conflict")})
    assert (await ingest.post(door.body(idempotency_key="order-77", source="crm")))[0] == 202


async def test_a_key_in_the_header_is_a_key_and_must_agree_with_the_body(ingest: door.Ingest) -> None:
    first = await ingest.post(door.body(), {"Idempotency-Key": "a"})
    assert (first[0], first[1]["deduplication"]) == (202, "checked")
    assert await ingest.post(door.body(), {"Idempotency-Key": "a"}) == first
    status, answer = await ingest.post(door.body(idempotency_key="b"), {"Idempotency-Key": "a"})
    assert (status, codes(answer)) == (422, {("", "keys_differ")})


async def test_fifty_at_once_with_one_key_and_two_bodies_one_body_wins_everywhere(ingest: door.Ingest) -> None:
    bodies = [door.body(idempotency_key="race", name=name) for name in ("one", "two")]
    results = await asyncio.gather(*(ingest.post(bodies[number % 2]) for number in range(50)))
    by_body = [{status for status, _ in results[start::2]} for start in (0, 1)]
    assert sorted(map(sorted, by_body)) == [[202], [422]]
    winner = bodies[by_body.index({202})]
    (won,) = {answer["notification_id"]: answer for status, answer in results if status == 202}.values()
    messages = await ingest.accepted(won)
    assert {message["name"] for message in messages} == {winner["name"]}


async def test_what_intake_has_taken_in_is_not_written_again(ingest: door.Ingest) -> None:
    begun, asked = await ingest.ends(), door.body(idempotency_key="taken in")
    duplicates = await ingest.metric(DUPLICATES)
    first = await ingest.post(asked)
    assert await ingest.post(asked) == first
    assert await ingest.ends() == begun + 2
    await ingest.owner.execute("UPDATE identities SET taken_in_at = now()")
    assert await ingest.post(asked) == first
    assert await ingest.ends() == begun + 2
    assert await ingest.metric(DUPLICATES) == duplicates + 2


async def test_a_repeat_that_comes_after_its_time_is_answered_as_then(ingest: door.Ingest) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    asked = door.body(idempotency_key="in time", expires_at=soon.isoformat())
    first = await ingest.post(asked)
    assert first[0] == 202

    async def too_late() -> bool:
        return datetime.now(UTC) > soon

    await waiting.until(too_late, 10, "the end of a second")
    assert await ingest.post(asked) == first
    status, answer = await ingest.post({**asked, "idempotency_key": "another"})
    assert (status, codes(answer)) == (422, {("/expires_at", "past")})


@pytest.mark.parametrize("key", [None, "later"])
async def test_a_request_for_later_gets_a_number_that_a_repeat_gets_too(ingest: door.Ingest, key: str | None) -> None:
    schedule = {"local": "2030-03-31T02:30:00", "timezone": "Europe/Berlin"}
    asked = door.body(schedule=schedule, idempotency_key=key)
    status, answer = await ingest.post(asked)
    assert (status, answer["status"]) == (202, "scheduled"), answer
    assert isinstance(answer["schedule_id"], int)
    if key:
        assert await ingest.post(asked) == (status, answer)
    number, notification_id = answer["schedule_id"], answer["notification_id"]
    message = (await ingest.written([topics.SCHEDULED], lambda found: found["schedule_id"] == number, 1))[0]
    assert (message["notification"]["schedule_id"], message["notification"]["notification_id"]) == (
        number, notification_id,
    )  # fmt: skip
    assert message["due_at"] == "2030-03-31T01:30:00Z"
    event = (await ingest.written([topics.EVENTS], lambda found: found["subject"] == notification_id, 1))[0]
    assert event["type"] == "tocsin.notification.scheduled.v1"
    expires_on = "SELECT expires_on FROM identities WHERE id = $1 AND schedule_id = $2"
    assert await ingest.owner.fetchval(expires_on, notification_id, number) == date(2030, 4, 14)


async def test_a_cloudevent_is_accepted_in_both_modes_under_its_source_and_id(ingest: door.Ingest) -> None:
    event = {"specversion": "1.0", "id": "é-1", "source": "/crm", "type": cloudevents.TYPE, "data": door.body()}
    first = await ingest.post(event, {"Content-Type": cloudevents.MEDIA_TYPE})
    assert (first[0], first[1]["deduplication"]) == (202, "checked"), first
    headers = {"ce-specversion": "1.0", "ce-id": "%C3%A9-1", "ce-source": "/crm", "ce-type": cloudevents.TYPE}
    assert await ingest.post(door.body(), headers) == first
    status, answer = await ingest.post({**event, "data": door.body(name=5)}, {"Content-Type": cloudevents.MEDIA_TYPE})
    assert (status, codes(answer)) == (422, {("/data/name", "string_type")})


async def test_each_of_a_batch_is_accepted_or_refused_on_its_own(ingest: door.Ingest) -> None:
    batch = {
        "notifications": [
            door.body(name="one"),
            door.body(name=5),
            door.body(name="two", idempotency_key="batched"),
            door.body(name="three", idempotency_key="batched"),
            7,
        ]
    }
    status, answer = await ingest.post(batch, path="/v1/notifications/batch")
    assert status == 200
    assert [result["status"] for result in answer["results"]] == [202, 422, 202, 422, 422]
    assert answer["results"][1]["errors"][0]["pointer"] == "/name"
    one, two = answer["results"][0], answer["results"][2]
    accepted = {message["notification_id"]: message["name"] for message in await ingest.accepted(one, two)}
    assert accepted == {one["notification_id"]: "one", two["notification_id"]: "two"}


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        pytest.param([], {}, {("/notifications", "not_a_batch")}, id="a list"),
        pytest.param({"notifications": {}}, {}, {("/notifications", "not_a_batch")}, id="an object"),
        pytest.param({"notifications": [], "x": 1}, {}, {("/x", "extra_forbidden")}, id="another field"),
        pytest.param({"notifications": [1] * 1_001}, {}, {("/notifications", "too_long")}, id="1,001"),
        pytest.param({"notifications": []}, {"Idempotency-Key": "k"}, {("", "unsupported")}, id="key"),
        pytest.param({"notifications": []}, {"ce-id": "k"}, {("", "unsupported")}, id="CloudEvent"),
    ],
)
async def test_what_is_no_batch_is_refused_whole(
    ingest: door.Ingest, content: Any, headers: dict[str, str], expected: set[tuple[str, str]]
) -> None:
    status, answer = await ingest.post(content, headers, "/v1/notifications/batch")
    assert (status, codes(answer)) == (422, expected)


async def test_routine_work_of_a_tenant_over_half_goes_to_bulk_while_routine_intake_lags(ingest: door.Ingest) -> None:
    async def lane(importance: str) -> str:
        status, answer = await ingest.post(door.body(importance=importance))
        assert status == 202
        (message,) = await ingest.accepted(answer)
        return str(message["lane"])

    async def behind() -> bool:
        return await ingest.metric("tocsin_routine_intake_behind") == 1

    async def caught_up() -> bool:
        if positions := (await consumer.batch(0.1)).positions:
            await consumer.commit(positions)
        return not await behind()

    await ingest.post(door.body(importance="info"))
    await waiting.until(behind, 30, "intake to lag, since nobody reads")
    assert [await lane("info"), await lane("danger")] == ["bulk", "urgent"]
    routine = [topics.accepted(Lane.ROUTINE)]
    async with open_consumer(ingest.kafka, routine_lag.INTAKE_GROUP, routine, 1_000) as consumer:
        await waiting.until(caught_up, 30, "intake to have caught up")
        assert await lane("info") == "routine"


async def test_the_api_describes_itself(ingest: door.Ingest) -> None:
    async with ingest.http.get(ingest.running.http + "/v1/openapi.json") as response:
        document = await response.json()
    assert document["paths"].keys() == {
        "/v1/notifications", "/v1/notifications/batch", "/v1/bodies", "/rest/notification/send",
        "/rest/refdata/timezones", "/api/sn_dex_desktop/notifications",
    }  # fmt: skip
    request = document["components"]["schemas"]["NotificationRequest"]
    assert {"source", "name", "description", "class", "idempotency_key"} <= request["properties"].keys()
