"""Everything about one person: told whole, taken away whole, and nothing of anybody else's (X14)."""

import asyncio
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from services.console import persons
from shared.access import Scope
from shared.contract import ids, records
from shared.contract.topics import TOPICS
from shared.postgres import outbox
from tests.support import api, consoles, person, rows
from tests.support.consoles import Console, Site
from tests.support.person import Person

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLUMNS_OF_PERSONS = re.compile(
    r"recipient|user|member|login|email|address|first_name|last_name|completed_by|resolved|phone|owner$"
)
"""How columns are called that hold persons, ids of theirs or ways to reach them."""

# Rows of these stay when a person goes: a new column of theirs may hold something about the person. Look, then add it.
KEPT_ROWS = {
    "notifications": "tenant id expires_on source name description importance class_key options items requires_action "
    "action_url script channels lane door owner accepted_at created_at expires_at remove_after completed_by "
    "completed_at cancelled_at recipient_count asset mail",
    "schedules": "id tenant notification_id due_at local timezone job state released_until notification remove_after "
    "owner",
    "fanouts": "notification_id tenant lane expires_on recipients cursor handed_over expected lease_owner lease_until "
    "created_at turned_at ended_at audience audience_open group_after member_after resolved written",
    "follow_ups": "id tenant kind notification_id expires_on at recipient_after run turned_at",
    "suppressions": "tenant hash address reason detail delivery_id at",
    "identities": "id tenant payload_hash accepted_at taken_in_at expires_on schedule_id answered_count",
    "timeline": "tenant notification_id expires_on at event detail",
    "erasures": "tenant subject begun_at names erased completed_at",
    "directory_versions": "tenant subject version changed_at",
}


@pytest_asyncio.fixture(loop_scope="module")
async def ada(console: Console) -> Person:
    """A person with a row in every table, in the tenant of this test."""
    return person.made(console.tenant)


async def erased(console: Console, who: str) -> dict[str, Any]:
    answer = await console.ask("POST", f"/v1/users/{who}/erasure")
    assert answer.status == 200, answer.json
    report: dict[str, Any] = answer.json
    return report


async def exported(console: Console, who: str) -> list[dict[str, Any]]:
    answer = await console.ask("GET", f"/v1/users/{who}/export")
    assert answer.status == 200
    lines = [orjson.loads(line) for line in answer.body.splitlines()]
    assert lines[-1] == {"complete": True, "rows": len(lines) - 1}
    return lines[:-1]


async def columns(owner: asyncpg.Connection, table: str) -> set[str]:
    found = await owner.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped", table
    )
    return {row["attname"] for row in found}


async def test_every_table_is_known_to_hold_persons_or_nobody(site: Site) -> None:
    assert set(await person.tables(site.owner)) == set(persons.PLACES) | persons.NOBODY, (
        "say in persons.PLACES what becomes of a person's rows there, export them (store/person_export), erase them "
        "(store/erasing), and give the person of tests/support/person a row"
    )
    for table in persons.NOBODY:
        assert {name for name in await columns(site.owner, table) if COLUMNS_OF_PERSONS.search(name)} == set(), table


@pytest.mark.parametrize("table", KEPT_ROWS)
async def test_every_column_of_rows_that_stay_was_looked_at(site: Site, table: str) -> None:
    assert await columns(site.owner, table) == set(KEPT_ROWS[table].split())


async def test_an_export_tells_what_every_table_holds_and_no_secret_and_nobody_else(
    console: Console, ada: Person
) -> None:
    made = await person.everywhere(console.owner, ada)
    completed = "UPDATE notifications SET completed_by = $2, completed_at = now() WHERE id = ANY ($1)"
    await console.owner.execute(completed, [made["own"], made["asked"]], ada.other)
    held = {table for table in await person.traces(console.owner, ada) if table != "bodies"}
    lines = await exported(console, ada.id)
    nested = {"deliveries", "attempts", "timeline"}
    assert {line["table"] for line in lines} | nested == held | nested
    told = next(line["row"] for line in lines if line["table"] == "inbox_items" and line["row"]["timeline"])
    assert told["notification"]["name"] == "Boiler 7"
    assert [delivery["attempts"][0]["outcome"] for delivery in told["deliveries"]] == ["delivered"]
    schedules = [line["row"] for line in lines if line["table"] == "schedules"]
    asked = [(row.get("owner"), row["notification"].get("owner")) for row in schedules]
    assert asked == [(f"sendNotification:{ada.id}",) * 2, (None, None)]
    text = orjson.dumps(lines).decode()
    for secret in ("whsec_secret", "hmac", ada.other, "linus"):
        assert secret not in text


async def test_an_erasure_leaves_nothing_and_says_what_it_did(console: Console, ada: Person) -> None:
    made = await person.everywhere(console.owner, ada)
    held = await person.traces(console.owner, ada)
    assert set(persons.PLACES) - {"outbox", "identities", "directory_versions", "erasures", "attempts"} == set(held)
    report = await erased(console, ada.id)
    assert report["complete"], report
    assert set(await person.traces(console.owner, ada)) <= {"outbox"}, "records on their way name the person"
    by_table = {each["table"]: each for each in report["tables"]}
    assert {table: by_table[table]["erased"] for table in ("users", "inbox_items", "deliveries", "attempts")} == {
        "users": 1, "inbox_items": 2, "deliveries": 3, "attempts": 3,
    }  # fmt: skip
    assert by_table["dead_letters"]["erased"] == 4
    assert {each["remaining"] for table, each in by_table.items() if table != "outbox"} == {0}
    kept = await console.owner.fetch("SELECT id FROM notifications WHERE tenant = $1", ada.tenant)
    assert {row["id"] for row in kept} == {made["shared"], made["asked"]}
    assert (await erased(console, ada.id)) == report, "asked again"


async def test_a_report_says_until_when_topics_hold_copies(console: Console, ada: Person) -> None:
    await person.everywhere(console.owner, ada)
    report = await erased(console, ada.id)
    until = {each["topic"]: datetime.fromisoformat(each["until"]) for each in report["topics"]}
    assert set(until) == {topic.name for topic in TOPICS} - {"entities.touched"}
    completed = datetime.fromisoformat(report["completed_at"])
    assert until["notifications.events"] - completed == timedelta(days=3.5, minutes=10)
    assert until["inbox.changes"] - completed == timedelta(hours=1, minutes=20)


async def test_what_others_have_stays_and_goes_on(console: Console, ada: Person) -> None:
    made = await person.everywhere(console.owner, ada)
    await erased(console, ada.id)
    items = await console.owner.fetch("SELECT recipient FROM inbox_items WHERE notification_id = $1", made["shared"])
    assert [row["recipient"] for row in items] == [ada.other]
    schedules = await console.owner.fetch(
        "SELECT state, notification FROM schedules WHERE tenant = $1 ORDER BY id", ada.tenant
    )
    assert [(row["state"], row["notification"]["recipients"]) for row in schedules] == [
        ("cancelled", []), ("pending", [ada.other]),
    ]  # fmt: skip
    fanout = await rows.one(console.owner, "SELECT recipients FROM fanouts WHERE tenant = $1", ada.tenant)
    assert [fanout["recipients"][place] for place in (0, 2)] == [ada.other, "linus"]
    assert fanout["recipients"][1].startswith("erased-"), "places in the list count"
    completed = await rows.one(console.owner, "SELECT * FROM notifications WHERE id = $1", made["shared"])
    assert (completed["completed_by"], completed["completed_at"] is not None) == (None, True)


async def test_a_schedule_that_an_erasure_cancels_is_told_once(console: Console, ada: Person) -> None:
    await person.everywhere(console.owner, ada)
    await erased(console, ada.id)
    await erased(console, ada.id)
    cancelled = await rows.one(
        console.owner, "SELECT * FROM schedules WHERE tenant = $1 AND state = 'cancelled'", ada.tenant
    )
    packed = await console.owner.fetch("SELECT records FROM outbox")
    told = [orjson.loads(each.value or b"null") for row in packed for each in outbox.records_of(row["records"])]
    [event] = [each for each in told if each and each["tenant"] == ada.tenant]
    assert event["type"] == "tocsin.notification.cancelled.v1"
    assert event["subject"] == str(cancelled["notification_id"])
    assert event["data"]["schedule_id"] == cancelled["id"]


async def test_a_suppressed_address_stays_suppressed_without_being_known(console: Console, ada: Person) -> None:
    await person.everywhere(console.owner, ada)
    await erased(console, ada.id)
    found = (await console.ask("GET", f"/v1/suppressions/{ada.email}")).json
    assert (found["address"], found["reason"], found["detail"], found["delivery_id"]) == (None, "bounce", "", None)


async def test_what_is_being_sent_is_let_finish_and_found_again(console: Console, ada: Person) -> None:
    await console.user(ada.id, email=ada.email)
    told = await rows.notification(console.owner, tenant=ada.tenant)
    await rows.item(console.owner, told, ada.id)
    leased = await rows.delivery(console.owner, told, recipient=ada.id, state="leased", reason=None, due_at=None)
    report = await erased(console, ada.id)
    assert not report["complete"]
    left = {each["table"]: each["remaining"] for each in report["tables"] if each["remaining"]}
    assert left == {"inbox_items": 1, "deliveries": 1, "outbox": 1}
    await console.owner.execute("UPDATE deliveries SET state = 'sent', ended_at = now() WHERE id = $1", leased["id"])
    assert (await erased(console, ada.id))["complete"]
    assert set(await person.traces(console.owner, ada)) <= {"outbox"}


async def test_who_is_no_longer_in_the_directory_is_erased_all_the_same(console: Console, ada: Person) -> None:
    told = await rows.notification(console.owner, tenant=ada.tenant)
    await rows.item(console.owner, told, ada.id)
    assert (await exported(console, ada.id))[0]["table"] == "inbox_items"
    assert (await erased(console, ada.id))["complete"]
    assert await person.traces(console.owner, ada) == {}


async def test_a_delivery_skipped_after_the_erasure_is_found_by_the_next(console: Console, ada: Person) -> None:
    told = await rows.notification(console.owner, tenant=ada.tenant)
    await rows.item(console.owner, told, ada.other)
    await rows.item(console.owner, told, ada.id)
    assert (await erased(console, ada.id))["complete"]
    delivery = ids.delivery(ada.tenant, told["id"], ada.id, ids.EMAIL)
    skipped = {"state": "skipped", "reason": "unknown_recipient", "channel": "email", "endpoint": "email"}
    await rows.delivery(console.owner, told, id=delivery, recipient=ada.id, due_at=None, **skipped)
    assert [line["table"] for line in await exported(console, ada.id)] == ["deliveries"]
    assert (await erased(console, ada.id))["complete"]
    assert await person.traces(console.owner, ada) == {}


async def test_what_is_on_its_way_for_another_tenants_namesake_does_not_count(
    console: Console, site: Site, ada: Person
) -> None:
    stranger = await consoles.of_new_tenant(site)
    namesake = records.event("skipped", stranger.tenant, uuid.uuid4(), datetime.now(UTC), {"recipient": ada.id})
    await console.owner.execute(
        "INSERT INTO outbox (created_at, records) VALUES (now(), $1)", outbox.packed([namesake])
    )
    await rows.item(console.owner, await rows.notification(console.owner, tenant=ada.tenant), ada.id)
    report = await erased(console, ada.id)
    assert [each["table"] for each in report["tables"] if each["remaining"]] == []


async def test_two_who_alone_got_a_notification_may_go_at_once(console: Console) -> None:
    both = [person.made(console.tenant) for _ in range(2)]
    told = await rows.notification(console.owner, tenant=console.tenant)
    for who in both:
        await rows.item(console.owner, told, who.id)
    await asyncio.gather(*(erased(console, who.id) for who in both))
    assert await console.owner.fetch("SELECT FROM notifications WHERE id = $1", told["id"]) == []


async def test_a_short_id_does_not_take_letters_of_others_along(console: Console) -> None:
    await console.user("7")
    original = orjson.dumps({"recipients": ["grace"], "items": [{"table": "incident", "id": "7"}], "name": 7})
    letter = {"tenant": console.tenant, "id": uuid.uuid4(), "expires_on": datetime.now(UTC).date(), "reason": "invalid",
              "detail": "", "topic": "t", "headers": [], "at": datetime.now(UTC), "original": original}  # fmt: skip
    await rows.insert(console.owner, "dead_letters", letter)
    assert [line["table"] for line in await exported(console, "7")] == ["users"]
    await erased(console, "7")
    assert await console.owner.fetchval("SELECT count(*) FROM dead_letters WHERE id = $1", letter["id"]) == 1


async def test_nobody_is_found_in_another_tenant_without_an_admin_key_or_twice(
    console: Console, site: Site, ada: Person
) -> None:
    await person.everywhere(console.owner, ada)
    stranger = await consoles.of_new_tenant(site)
    before = await person.traces(console.owner, ada)
    for method, what in (("GET", "export"), ("POST", "erasure")):
        path = f"/v1/users/{ada.id}/{what}"
        assert (await stranger.ask(method, path)).status == 404
        directory = await api.key(console.owner, console.tenant, [Scope.DIRECTORY])
        assert (await console.client.ask(method, path, directory)).status == 403
        assert (await console.ask(method, f"/v1/users/nobody-at-all/{what}")).status == 404
    assert await person.traces(console.owner, ada) == before
