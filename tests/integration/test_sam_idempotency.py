"""sendNotification under an Idempotency-Key over HTTP: a repeat is answered as then, whatever has changed since."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.contract import topics
from shared.postgres import tenants
from tests.support import directory, door, sam, waiting
from tests.support.sam import Answer, Caller
from tests.unit.test_sam_body import LARGE, SCHEDULE, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TEMPLATE = "INSERT INTO templates (tenant, name, version, html, required, optional) VALUES ($1, $2, 1, $3, $4, '{}')"
CONFLICT = (422, "WSInvalidParameterException", "Idempotency-Key")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Caller]:
    async with sam.running(kafka_bootstrap, postgres_server, tmp_path_factory.mktemp("keys")) as running:
        await running.ingest.owner.execute(_TEMPLATE, door.TENANT, "T", "{{ emailBody|html }}", ["emailBody"])
        yield running


async def keyed(caller: Caller, body: Any, key: str) -> Answer:
    return await caller.send(body, {"Idempotency-Key": key})


async def entered(caller: Caller) -> int:
    """How many requests with a key were entered in all."""
    count = "SELECT count(*) FROM identities WHERE payload_hash IS NOT NULL"
    return int(await caller.ingest.owner.fetchval(count))


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("taken_in", [False, True], ids=["not taken in yet", "taken in"])
async def test_the_same_key_and_body_give_the_same_answer_and_another_body_422(
    caller: Caller, version: int, *, taken_in: bool
) -> None:
    key, body = f"order-{version}-{taken_in}", sent(version=version, message=f"Once {version} {taken_in}")
    before = await entered(caller)
    first = await keyed(caller, body, key)
    assert first.status == 200
    if taken_in:
        await caller.ingest.owner.execute("UPDATE identities SET taken_in_at = now()")
    spaced = json.dumps(dict(reversed(body.items())), indent=2)
    for repeat in (body, spaced):
        answer = await keyed(caller, repeat, key)
        assert (answer.status, answer.json) == (200, first.json)
    ends = await caller.ingest.ends()
    for other in ({**body, "message": "Other"}, {**body, "brochureId": None}):
        assert (await keyed(caller, other, key)).fault == CONFLICT
    assert await entered(caller) == before + 1
    assert await caller.ingest.ends() == ends


async def test_all_that_was_written_under_one_key_is_one_notification(caller: Caller) -> None:
    body, later = sent(version=2, message="Written once"), sent(message="Scheduled once")
    for _ in range(2):
        assert (await keyed(caller, body, "written")).status == 200
        assert (await keyed(caller, later, "scheduled")).status == 200
    now = await caller.ingest.written(door.ACCEPTED, lambda found: found["description"] == "Written once", 2)
    assert len({found["notification_id"] for found in now}) == 1
    waiting_for = await caller.ingest.written(
        [topics.SCHEDULED], lambda found: found["notification"]["description"] == "Scheduled once", 2
    )
    assert len({(found["notification"]["notification_id"], found["schedule_id"]) for found in waiting_for}) == 1


@pytest.mark.parametrize("version", [2, 4])
async def test_without_a_key_every_request_is_a_new_one(caller: Caller, version: int) -> None:
    message = f"Again {version}"
    for _ in range(2):
        assert (await caller.send(sent(version=version, message=message))).status == 200
    names = door.ACCEPTED if version == 2 else [topics.SCHEDULED]
    found = await caller.ingest.written(
        names, lambda record: record.get("notification", record)["description"] == message, 2
    )
    assert len({record.get("notification", record)["notification_id"] for record in found}) == 2


@pytest.mark.parametrize("taken_in", [False, True], ids=["not taken in yet", "taken in"])
async def test_a_repeat_of_version_2_is_answered_the_number_of_then(caller: Caller, *, taken_in: bool) -> None:
    owner, team = caller.ingest.owner, f"grows-{taken_in}"
    await directory.group(owner, f"team/{team}", ["a", "b"], tenant=door.TENANT)
    body = sent(version=2, values=[team])
    assert (await keyed(caller, body, team)).json == 2
    await directory.group(owner, f"team/{team}", ["c"], tenant=door.TENANT)
    if taken_in:
        await owner.execute("UPDATE identities SET taken_in_at = now()")
    assert (await keyed(caller, body, team)).json == 2
    assert (await keyed(caller, body, team + "-anew")).json == 3


async def test_a_repeat_that_comes_after_its_time_is_answered_as_then(caller: Caller) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    local = soon.replace(tzinfo=None).isoformat(timespec="microseconds")
    body = sent(scheduleTimezoneId="UTC", scheduleLocalDateTime=local)
    first = await keyed(caller, body, "in time")
    assert first.status == 200, first.json

    async def too_late() -> bool:
        return datetime.now(UTC) > soon

    await waiting.until(too_late, 10, "the end of a second")
    answer = await keyed(caller, body, "in time")
    assert (answer.status, answer.json) == (200, first.json)
    past = (400, "WSInvalidParameterException", "scheduleLocalDateTime")
    assert (await keyed(caller, body, "another")).fault == past
    assert (await caller.send(body)).fault == past
    assert (await keyed(caller, {**body, "message": "Other"}, "in time")).fault == CONFLICT


async def named_then(caller: Caller, name: str) -> None:
    """All that a notification can name, by this number."""
    owner = caller.ingest.owner
    await directory.group(owner, f"team/{name}", ["ada"], tenant=door.TENANT)
    await directory.group(owner, f"event/{name}", ["ada"], tenant=door.TENANT)
    await sam.user(owner, name)
    await owner.execute("INSERT INTO tags (tenant, id, name) VALUES ($1, $2, 'Gone')", door.TENANT, int(name))
    await owner.execute(_TEMPLATE, door.TENANT, f"t{name}", "Hello", [])


async def gone_now(caller: Caller, name: str) -> None:
    for statement in (
        "DELETE FROM group_members WHERE group_id = $1",
        "DELETE FROM groups WHERE id = $1",
        "DELETE FROM users WHERE id = $1",
        "DELETE FROM tags WHERE id::text = $1",
        "DELETE FROM templates WHERE name = 't' || $1",
    ):
        await caller.ingest.owner.execute(statement, name)


GONE = {
    "a team": (sent(version=2, values=["901"]), "values"),
    "a team, scheduled": (sent(values=["901"], **SCHEDULE), "values"),
    "an event": (sent("GE", key="901"), "key"),
    "one of two users": (sent("UN", values=["aaron", "901"]), "values"),
    "a tag": (sent(campaignTagId=901), "campaignTagId"),
    "a template": (sent(emailTemplate="t901", emailSubject="S"), "emailTemplate"),
    "a template, with a body": (sent(**{**LARGE, "emailTemplate": "t901", "emailBody": "<p>x</p>"}), "emailTemplate"),
}


@pytest.mark.parametrize("taken_in", [False, True], ids=["not taken in yet", "taken in"])
async def test_a_repeat_is_answered_as_then_when_what_it_names_is_gone(caller: Caller, *, taken_in: bool) -> None:
    await named_then(caller, "901")
    first = {name: await keyed(caller, body, f"{name} {taken_in}") for name, (body, _) in GONE.items()}
    assert {answer.status for answer in first.values()} == {200}, first
    await gone_now(caller, "901")
    if taken_in:
        await caller.ingest.owner.execute("UPDATE identities SET taken_in_at = now()")
    for name, (body, field) in GONE.items():
        answer = await keyed(caller, body, f"{name} {taken_in}")
        assert (answer.status, answer.json) == (200, first[name].json), name
        for fresh in (await keyed(caller, body, f"{name} {taken_in} anew"), await caller.send(body)):
            assert fresh.status in {400, 404}
            assert fresh.json["errors"][0]["field"] == field, "who asks for the first time is told what is wrong"


async def test_a_key_belongs_to_its_user_and_company_and_not_to_the_topic(caller: Caller) -> None:
    ingest = caller.ingest
    colleague = await sam.caller(ingest, "colleague", "SUPER_USER")
    other_company = Caller(
        ingest, caller.token, await tenants.create_company_key(ingest.owner, door.TENANT, "9", door.SECRET)
    )
    renewed = Caller(
        ingest,
        await tenants.create_sam_token(ingest.owner, door.TENANT, "root", door.SECRET),
        await tenants.create_company_key(ingest.owner, door.TENANT, sam.COMPANY, door.SECRET),
    )
    mine = await keyed(caller, sent(message="mine"), "shared")
    theirs = await keyed(colleague, sent(message="theirs"), "shared")
    elsewhere = await keyed(other_company, sent(message="elsewhere"), "shared")
    assert (mine.status, theirs.status, elsewhere.status) == (200, 200, 200)
    assert len({answer.json["notificationScheduleId"] for answer in (mine, theirs, elsewhere)}) == 3
    assert (await keyed(renewed, sent(message="mine"), "shared")).json == mine.json, "credentials are renewed"
    headers = {"tenant": door.TENANT, "dialect": "sam", "idempotency-key": "shared"}
    await ingest.produce((sent(message="on the topic"), headers))
    [record] = await ingest.written(
        [topics.SCHEDULED], lambda found: found["notification"]["description"] == "on the topic", 1
    )
    assert record["schedule_id"] not in {answer.json["notificationScheduleId"] for answer in (mine, theirs, elsewhere)}


@pytest.mark.parametrize("version", [2, 4])
async def test_forty_at_once_with_one_key_and_two_bodies_one_body_wins_everywhere(caller: Caller, version: int) -> None:
    bodies = [sent(version=version, message=f"race {version} {number}") for number in range(2)]
    before = await entered(caller)
    answers = await asyncio.gather(*(keyed(caller, bodies[number % 2], f"race {version}") for number in range(40)))
    by_body = [{answer.status for answer in answers[start::2]} for start in (0, 1)]
    assert sorted(map(sorted, by_body)) == [[200], [422]]
    assert len({json.dumps(answer.json) for answer in answers if answer.status == 200}) == 1
    assert await entered(caller) == before + 1
    names, winner = door.ACCEPTED if version == 2 else [topics.SCHEDULED], by_body.index({200})
    texts = [body["message"] for body in bodies]
    found = await caller.ingest.written(
        names, lambda record: record.get("notification", record)["description"] in texts, 1
    )
    assert {record.get("notification", record)["description"] for record in found} == {texts[winner]}
    assert len({record.get("notification", record)["notification_id"] for record in found}) == 1


async def test_a_body_of_ten_million_characters_is_compared_to_its_last_one(caller: Caller) -> None:
    body = sent(version=2, values=["23"], emailBody="e" * 9_999_999 + "é", **LARGE)
    first = await keyed(caller, body, "large")
    assert (first.status, first.json) == (200, 3)
    raw = json.dumps(body, ensure_ascii=False, indent=1)
    assert (await keyed(caller, raw, "large")).json == 3, "however its characters are written"
    assert (await keyed(caller, {**body, "emailBody": "e" * 10_000_000}, "large")).fault == CONFLICT


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("k" * 256, id="256 characters"),
        pytest.param("a\tb", id="a control character"),
        pytest.param("\udce9", id="not UTF-8"),
    ],
)
async def test_a_key_that_is_none_is_an_error_and_nothing_is_sent(caller: Caller, key: str) -> None:
    before = await caller.ingest.ends()
    assert (await keyed(caller, sent(version=2), key)).fault == (400, "WSInvalidParameterException", "Idempotency-Key")
    assert await caller.ingest.ends() == before


async def test_two_keys_are_an_error_and_one_said_twice_is_one(caller: Caller) -> None:
    own = {"x-nextinteract-authtoken": caller.token, "x-nextinteract-company-api-key": caller.key}
    for keys, status in ((("one", "two"), 400), (("one", "one"), 200)):
        headers = [*own.items(), *(("Idempotency-Key", key) for key in keys)]
        address = caller.ingest.running.http + sam.PATH
        async with caller.ingest.http.post(address, json=sent(version=2), headers=headers) as response:
            assert response.status == status


async def test_the_longest_key_in_any_letters_is_one(caller: Caller) -> None:
    key, body = "é" * 255, sent(message="letters")
    first = await keyed(caller, body, key)
    assert first.status == 200
    assert (await keyed(caller, body, key)).json == first.json


async def test_a_key_whose_body_was_wrong_is_free_for_a_right_one(caller: Caller) -> None:
    assert (await keyed(caller, sent(values=["99"]), "mended")).status == 400
    assert (await keyed(caller, sent(values=["23"]), "mended")).status == 200
