"""sendNotification over real HTTP, Kafka and PostgreSQL: who may send what to whom, and every error by its cause."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from shared.contract import topics
from shared.postgres import tenants
from tests.support import directory, door, sam
from tests.support.sam import Caller
from tests.unit.test_sam_body import EXAMPLES, SCHEDULE, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Caller]:
    async with sam.running(kafka_bootstrap, postgres_server, tmp_path_factory.mktemp("sam")) as running:
        yield running


async def accepted(caller: Caller, message: str) -> dict[str, Any]:
    """The notification whose text is `message`, once it is on its way."""
    [found] = await caller.ingest.written(door.ACCEPTED, lambda record: record["description"] == message, 1)
    return found


async def scheduled(caller: Caller, schedule_id: int) -> dict[str, Any]:
    [found] = await caller.ingest.written([topics.SCHEDULED], lambda record: record["schedule_id"] == schedule_id, 1)
    return found


async def test_the_examples_of_the_source_are_answered_as_it_says(caller: Caller) -> None:
    events, teams, user = [await caller.send(example) for example in EXAMPLES]
    assert (events.status, events.json) == (200, 3), "two accepted attendees in each team, one of them in both"
    assert (teams.status, teams.json) == (200, 4)
    assert user.status == 200
    assert list(user.json) == ["notificationScheduleId"]
    waiting = await scheduled(caller, user.json["notificationScheduleId"])
    assert waiting["notification"]["recipients"] == ["aaron"]
    assert waiting["notification"]["options"] == {"type": "7", "status": "Available"}
    assert waiting["notification"]["asset"] == "4"
    assert waiting["notification"]["audience"] is None
    sent_to = await accepted(caller, "This is test message for event team ids 456 and 459")
    assert sent_to["audience"] == {"kind": "event_team", "company": None, "parent": sam.EVENT, "ids": ["456", "459"]}


AUDIENCES: dict[str, tuple[dict[str, Any], int]] = {
    "GE, all teams of the event": (sent("GE", 2), 3),
    "GE, one team": (sent("GE", 2, values=["456"]), 2),
    "GT, all teams of the company": (sent("GT", 2), 4),
    "GT, two teams": (sent("GT", 2, values=["23", "27"]), 4),
    "GT, a team named twice": (sent("GT", 2, values=["27", "27"]), 2),
    "SN, all entries": (sent("SN", 2), 2),
    "SN, one entry": (sent("SN", 2, values=["e2"]), 1),
    "JN, all job groups": (sent("JN", 2), 3),
    "JN, one job group": (sent("JN", 2, values=["j1"]), 1),
    "GA, those who have the asset": (sent("GA", 2), 2),
    "GA, those who have another asset": (sent("GA", 2, brochureId=5), 3),
    "GA, whatever its values": (sent("GA", 2, values=["5"]), 2),
}


@pytest.mark.parametrize(("body", "count"), AUDIENCES.values(), ids=AUDIENCES)
async def test_version_2_answers_the_number_of_accepted_members_of_its_groups(
    caller: Caller, body: dict[str, Any], count: int
) -> None:
    answer = await caller.send(body)
    assert (answer.status, answer.json) == (200, count)


async def test_users_are_named_by_login_e_mail_or_id_and_each_gets_one(caller: Caller) -> None:
    await sam.user(caller.ingest.owner, "una")
    answer = await caller.send(sent("UN", values=["una.login", "UNA@example.test", "una", "aaron"]))
    waiting = await scheduled(caller, answer.json["notificationScheduleId"])
    assert waiting["notification"]["recipients"] == ["una", "aaron"]


@pytest.mark.parametrize("version", [3, 4])
async def test_from_version_3_on_now_and_later_are_answered_with_a_schedule(caller: Caller, version: int) -> None:
    now, later = await caller.send(sent(version=version)), await caller.send(sent(version=version, **SCHEDULE))
    ids = [answer.json["notificationScheduleId"] for answer in (now, later)]
    assert all(type(each) is int for each in ids)
    first, second = [await scheduled(caller, each) for each in ids]
    assert first["timezone"] == "UTC"
    assert datetime.fromisoformat(first["due_at"]) <= datetime.fromisoformat(first["at"])
    assert (second["timezone"], second["local"]) == ("Australia/Sydney", "2026-12-01T09:00:00")
    assert datetime.fromisoformat(second["due_at"]).isoformat() == "2026-11-30T22:00:00+00:00"


async def test_it_is_information_for_inbox_and_push(caller: Caller) -> None:
    await caller.send(sent(version=2, message="Hello\nthere", brochureId=4))
    found = await accepted(caller, "Hello\nthere")
    assert (found["name"], found["importance"], found["channels"]) == ("Hello", "info", ["inbox", "push"])
    assert found["completion_email"] is True
    assert found["items"] == [{"table": "brochure", "id": "4", "url": None}]


async def test_a_campaign_tag_stands_in_every_link(caller: Caller) -> None:
    message = "Read https://a.example/x?y=1. Now"
    answer = await caller.send(sent(url="https://b.example/z#top", message=message, campaignTagId=12))
    found = (await scheduled(caller, answer.json["notificationScheduleId"]))["notification"]
    assert found["action_url"] == "https://b.example/z?campaignTagId=12&campaignId=C%207#top"
    assert found["items"][0]["url"] == found["action_url"]
    assert found["description"] == "Read https://a.example/x?y=1&campaignTagId=12&campaignId=C%207. Now"


@pytest.mark.parametrize(
    ("body", "touched"),
    [
        pytest.param(sent("GA", updateEntityLastModified=True), [("brochure", "4")], id="the asset"),
        pytest.param(
            sent("SN", values=["e1", "e2"], updateEntityLastModified=True),
            [("smart_entry", "e1"), ("smart_entry", "e2")],
            id="smart entries",
        ),
        pytest.param(
            sent("SN", values=["e2", "e2"], brochureId=4, updateEntityLastModified=True),
            [("smart_entry", "e2"), ("brochure", "4")],
            id="a smart entry and a brochure",
        ),
        pytest.param(sent(brochureId=5, updateEntityLastModified=True), [("brochure", "5")], id="a brochure"),
        pytest.param(sent("SN", updateEntityLastModified=True), [], id="no entry named"),
        pytest.param(sent("GT", values=["23"], updateEntityLastModified=True), [], id="teams are no entities"),
        pytest.param(sent("GA", updateEntityLastModified=False), [], id="nothing"),
    ],
)
async def test_what_is_to_be_touched_is_said_when_it_is_taken_in(
    caller: Caller, body: dict[str, Any], touched: list[tuple[str, str]]
) -> None:
    answer = await caller.send(body)
    found = (await scheduled(caller, answer.json["notificationScheduleId"]))["notification"]
    assert [(each["table"], each["id"]) for each in found["touches"]] == touched


async def test_a_deep_link_reaches_the_push_with_its_tag(caller: Caller) -> None:
    answer = await caller.send(sent(url="interact://event/12", campaignTagId=12))
    found = (await scheduled(caller, answer.json["notificationScheduleId"]))["notification"]
    assert found["items"][0]["url"] == "interact://event/12?campaignTagId=12&campaignId=C%207"
    assert found["action_url"] is None


FAULTS: dict[str, tuple[Any, tuple[int, str, str]]] = {
    "a field that is wrong": (sent(key=7), (400, "WSInvalidParameterException", "key")),
    "no JSON": ("hello", (400, "WSInvalidParameterException", "")),
    "an unknown company": (sent(key="77"), (400, "WSInvalidParameterException", "key")),
    "an unknown team": (sent(values=["23", "99"]), (400, "WSInvalidParameterException", "values")),
    "a team of another company": (sent(values=["90"]), (400, "WSInvalidParameterException", "values")),
    "an unknown job group": (sent("JN", values=["99"]), (400, "WSInvalidParameterException", "values")),
    "an unknown asset": (sent("GA", brochureId=99), (400, "WSInvalidParameterException", "brochureId")),
    "an unknown user": (sent("UN", values=["aaron", "nobody"]), (400, "WSInvalidParameterException", "values")),
    "an unknown tag": (sent(campaignTagId=99), (400, "WSInvalidParameterException", "campaignTagId")),
    "an unknown job": (sent(**SCHEDULE, scheduleJobName="x"), (400, "WSInvalidParameterException", "scheduleJobName")),
    "a time that has passed": (
        sent(**SCHEDULE | {"scheduleLocalDateTime": "2020-01-01T00:00"}),
        (400, "WSInvalidParameterException", "scheduleLocalDateTime"),
    ),
    "an unknown event": (sent("GE", key="77"), (404, "WSEventServiceException", "key")),
    "a team of another event": (sent("GE", values=["23"]), (404, "WSEventServiceException", "values")),
    "an unknown library": (sent("SN", key="77"), (404, "WSSmartLibNotFoundException", "key")),
    "an unknown entry": (sent("SN", values=["e9"]), (404, "WSSmartLibraryServiceException", "values")),
}


@pytest.mark.parametrize(("body", "fault"), FAULTS.values(), ids=FAULTS)
async def test_an_error_has_the_sources_name_and_names_the_field(
    caller: Caller, body: Any, fault: tuple[int, str, str]
) -> None:
    answer = await caller.send(body)
    assert answer.fault == fault
    assert answer.json["message"].startswith(f"{fault[2]}: " if fault[2] else "")


UNKNOWN = {"values": ["aaron", "nobody"]}
WITH_BODY = {"emailTemplate": "none.html", "emailSubject": "S", "emailBody": "left behind",
             "emailParams": [{"key": "emailBody", "value": ""}]}  # fmt: skip
NOTHING_DONE = {
    "users, version 4": sent("UN", 4, **UNKNOWN),
    "users, to be scheduled": sent("UN", 4, **UNKNOWN, **SCHEDULE),
    "teams, version 2": sent(version=2, values=["23", "99"]),
    "a mail with its body, version 3": sent(version=3, **WITH_BODY),
}


async def left(caller: Caller) -> tuple[int, int, int]:
    """How many records, identities and bodies there are."""
    query = "SELECT (SELECT count(*) FROM identities), (SELECT count(*) FROM bodies)"
    [(identities, bodies)] = await caller.ingest.owner.fetch(query)
    return await caller.ingest.ends(), identities, bodies


@pytest.mark.parametrize("body", NOTHING_DONE.values(), ids=NOTHING_DONE)
async def test_an_error_leaves_nothing_behind(caller: Caller, body: dict[str, Any]) -> None:
    before = await left(caller)
    assert (await caller.send(body)).status == 400
    assert await left(caller) == before


async def test_what_is_valid_leaves_a_record_and_from_version_3_on_an_identity(caller: Caller) -> None:
    for version in (2, 3, 4):
        records, identities, bodies = await left(caller)
        assert (await caller.send(sent(version=version))).status == 200
        assert await left(caller) == (records + 1, identities + (version > 2), bodies)


@pytest.mark.parametrize("header", ["x-nextinteract-authtoken", "x-nextinteract-company-api-key"])
@pytest.mark.parametrize(
    "value",
    [None, "", "nonsense", "ed90fcd2-cbb4-49b8-9be4-a14ccbc2d1e8", f"sam_{'0' * 16}_{'A' * 43}"],
    ids=["none", "empty", "nonsense", "a UUID of nobody", "a token of nobody"],
)
async def test_both_headers_are_required_and_must_open_something(
    caller: Caller, header: str, value: str | None
) -> None:
    assert (await caller.send(sent(), {header: value})).fault == (401, "WSInvalidAuthTokenException", header)


async def test_a_token_that_ended_and_a_key_that_was_revoked_open_nothing(caller: Caller) -> None:
    owner, other = caller.ingest.owner, await sam.caller(caller.ingest, "ends", "SUPER_USER")
    assert (await other.send(sent())).status == 200
    await owner.execute("UPDATE sam_tokens SET expires_at = now() WHERE user_id = 'ends'")
    assert (await other.send(sent())).fault == (401, "WSInvalidAuthTokenException", "x-nextinteract-authtoken")
    await owner.execute("UPDATE sam_tokens SET expires_at = NULL, revoked_at = now() WHERE user_id = 'ends'")
    assert (await other.send(sent())).status == 401
    key = await tenants.create_company_key(owner, door.TENANT, sam.COMPANY, door.SECRET)
    assert (await Caller(caller.ingest, caller.token, key.upper()).send(sent())).status == 200
    await owner.execute("UPDATE sam_company_keys SET revoked_at = now() WHERE hmac = (SELECT hmac FROM sam_company_keys"
                        " ORDER BY created_at DESC LIMIT 1)")  # fmt: skip
    assert (await Caller(caller.ingest, caller.token, key).send(sent())).status == 401


@pytest.mark.parametrize("role", ["COMPANY_ADMIN", "EVENT_PUSH_NOTIFICATION_ROLE"])
async def test_who_is_of_a_company_sends_to_that_company_only(caller: Caller, role: str) -> None:
    own = await sam.caller(caller.ingest, f"own-{role}", role)
    assert (await own.send(sent(version=2))).status == 200
    assert (await own.send(sent("GE", version=2))).status == 200
    refused = (403, "WSInsufficientPermissionsException", "key")
    assert (await own.send(sent(key="9"))).fault == refused
    assert (await own.send(sent("GE", key="foreign"))).fault == refused
    assert (await own.send(sent("SN", version=2))).status == 200
    assert (await own.send(sent("SN", key="foreign"))).fault == refused
    assert (await caller.send(sent(key="9"))).status == 200, "a super user may"


@pytest.mark.parametrize("role", ["COMPANY_ADMIN", "EVENT_PUSH_NOTIFICATION_ROLE"])
async def test_who_is_of_a_company_reaches_by_name_only_its_accepted_members(caller: Caller, role: str) -> None:
    owner = caller.ingest.owner
    own = await sam.caller(caller.ingest, f"un-{role}", role)
    for name, company, status in [("col", "3", "accepted"), ("inv", "3", "invited"), ("for", "9", "accepted")]:
        await sam.user(owner, f"{name}-{role}")
        await directory.group(
            owner, f"company/{company}", [f"{name}-{role}"], company=company, status=status, tenant=door.TENANT
        )
    assert (await own.send(sent("UN", values=[f"col-{role}"]))).status == 200
    unknown = (400, "WSInvalidParameterException", "values")
    for name in [f"inv-{role}", f"for-{role}", f"for-{role}.login", f"for-{role}@example.test", "nobody"]:
        answer = await own.send(sent("UN", values=[name]))
        assert answer.fault == unknown
        assert answer.json["message"] == f"values: there is no user with this login or e-mail: {name}"
    assert (await caller.send(sent("UN", values=[f"for-{role}"]))).status == 200, "a super user may"


async def test_who_shares_an_address_with_somebody_of_another_company_is_still_known_by_it(caller: Caller) -> None:
    own = await sam.caller(caller.ingest, "shares", "COMPANY_ADMIN")
    await sam.user(caller.ingest.owner, "abroad")
    await caller.ingest.owner.execute("UPDATE users SET email = 'shares@example.test' WHERE id = 'abroad'")
    answer = await own.send(sent("UN", values=["shares@example.test"]))
    waiting = await scheduled(caller, answer.json["notificationScheduleId"])
    assert waiting["notification"]["recipients"] == ["shares"]
    assert (await caller.send(sent("UN", values=["shares@example.test"]))).status == 400, "for all of the tenant two"


async def test_who_is_not_connected_to_the_keys_company_may_not_send(caller: Caller) -> None:
    await directory.group(caller.ingest.owner, "company/9", company="9", tenant=door.TENANT)
    key = await tenants.create_company_key(caller.ingest.owner, door.TENANT, "9", door.SECRET)
    own = await sam.caller(caller.ingest, "own", "COMPANY_ADMIN")
    answer = await Caller(caller.ingest, own.token, key).send(sent(key="9"))
    assert answer.fault == (403, "WSInsufficientPermissionsException", "x-nextinteract-company-api-key")


@pytest.mark.parametrize("roles", [(), ("admin",), ("super_user",)], ids=["none", "another", "in small letters"])
async def test_without_one_of_the_three_roles_nobody_sends(caller: Caller, roles: tuple[str, ...]) -> None:
    nobody = await sam.caller(caller.ingest, f"nobody-{len(roles)}-{roles}", *roles)
    answer = await nobody.send(sent())
    assert answer.fault == (403, "WSInsufficientPermissionsException", "x-nextinteract-authtoken")


async def test_a_key_of_another_tenant_is_refused_even_to_a_super_user(caller: Caller) -> None:
    foreign = await sam.caller(caller.ingest, "root", "SUPER_USER", tenant="globex")
    answer = await Caller(caller.ingest, caller.token, foreign.key).send(sent())
    assert answer.fault == (403, "WSInsufficientPermissionsException", "x-nextinteract-company-api-key")
    assert (await foreign.send(sent(values=["23"]))).fault == (400, "WSInvalidParameterException", "values")


async def test_the_zones_can_be_listed(caller: Caller) -> None:
    async with caller.ingest.http.get(caller.ingest.running.http + "/rest/refdata/timezones") as response:
        zones = {zone["timezoneId"]: zone["utcOffsetMinutes"] for zone in await response.json()}
    assert zones["Australia/Sydney"] in {600, 660}
    assert zones["Australia/Lord_Howe"] in {630, 660}
    assert zones["UTC"] == 0
    assert max(map(len, zones)) <= 40
