"""Commands that speak to the console, against a real one with a real PostgreSQL."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from shared import access
from shared.client import Console
from shared.postgres import tenants
from tests.support import databases, person, rows, service
from tests.support.commands import Ran, tocsin

SECRET = b"the secret under which keys are stored"
pytestmark = pytest.mark.asyncio(loop_scope="module")

USERS = """id,email,first_name,timezone
ada,ada@example.test,Ada,Europe/London
grace,grace@example.test,Grace,
linus,no address,,
"""


@dataclass
class Site:
    """A running console, an admin key of the tenant `acme`, and the owner's connection."""

    url: str
    key: str
    owner: asyncpg.Connection

    async def run(self, *arguments: str, key: str | None = None) -> Ran:
        return await asyncio.to_thread(tocsin, *arguments, "--url", self.url, "--key", key or self.key)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    secret = tmp_path_factory.mktemp("secrets") / "api-keys"
    secret.write_bytes(SECRET)
    async with databases.cloned(postgres_server) as database:
        owner = await rows.owner(database.owner)
        await tenants.create_tenant(owner, rows.TENANT, "Acme")
        key = await tenants.create_key(owner, rows.TENANT, "test", [access.Scope.ADMIN], SECRET)
        told = {
            "postgres_dsn": database.dsn("console"),
            "kafka_bootstrap": "127.0.0.1:9",  # the API needs none
            "api_key_secret_file": str(secret),
            "allowed_private_hosts": "127.0.0.1",
        }
        async with service.running("console", told) as running:
            await running.until("/readyz", 200)
            yield Site(running.http, key, owner)
            assert await running.stop() == 0
        await owner.close()


async def test_users_are_imported_but_for_the_lines_that_are_wrong(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text(USERS)
    ran = await site.run("users", "import", str(path), "--json")
    assert (ran.code, ran.json["imported"], ran.json["failed"]) == (1, 2, 1), ran.err
    assert [(line["line"], line["errors"][0]["pointer"]) for line in ran.json["errors"]] == [(4, "/email")]
    async with Console(site.url, site.key) as console:
        assert {user.id async for user in console.users()} >= {"ada", "grace"}
        assert (await console.user("ada")).timezone == "Europe/London"


async def test_a_dry_run_says_the_same_without_asking(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text(USERS)
    offline = await asyncio.to_thread(tocsin, "users", "import", str(path), "--dry-run", "--json")
    asked = await site.run("users", "import", str(path), "--json")
    assert offline.json == asked.json


async def test_groups_and_their_members_are_imported(site: Site, tmp_path: Path) -> None:
    groups, members = tmp_path / "groups.csv", tmp_path / "members.ndjson"
    groups.write_text("kind,id,name,company\nteam,23,Sales,3\nteam,27,,\n")
    members.write_text('{"kind": "team", "group": "23", "user": "ada"}\n{"kind": "team", "group": "23"}\n')
    async with Console(site.url, site.key) as console:
        await console.put_user({"id": "ada"})
        ran = await site.run("groups", "import", str(groups))
        assert (ran.code, ran.out) == (1, "line 3:\n  /: a group of kind team needs a company\n1 of 2 groups\n"), (
            ran.err
        )
        ran = await site.run("groups", "import", str(members), "--members", "--json")
        assert (ran.code, ran.json["imported"], [wrong["line"] for wrong in ran.json["errors"]]) == (1, 1, [2])
        assert [(group.id, group.name) async for group in console.groups("team")] == [("23", "Sales")]
        assert [member.user async for member in console.members("team", "23")] == ["ada"]
        await console.delete_member("team", "23", "ada")
        assert (await console.put_member("team", "23", "ada", "invited")).status == "invited"
        assert (await console.put_group("team", "23", {"company": "3"})).name == ""
        await console.delete_group("team", "23")
        assert [group async for group in console.groups("team")] == []


async def test_an_import_that_was_stopped_goes_on_with_the_line_it_names(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "users.ndjson"
    lines = [f'{{"id": "many{number:05}"}}' for number in range(12_000)]
    lines[10_500] = '{"id": "many10500", "email": "no address"}'
    path.write_text("\n".join(lines))
    await site.owner.execute("REVOKE INSERT ON users FROM tocsin_console")
    try:
        stopped = await site.run("users", "import", str(path), "--from-line", "5001")
    finally:
        await site.owner.execute("GRANT INSERT ON users TO tocsin_console")
    assert (stopped.code, "--from-line 5001" in stopped.err) == (1, True), stopped.err
    assert await site.owner.fetchval("SELECT count(*) FROM users WHERE id LIKE 'many%'") == 0
    ran = await site.run("users", "import", str(path), "--from-line", "5001", "--json")
    assert (ran.json["imported"], [wrong["line"] for wrong in ran.json["errors"]]) == (6_999, [10_501])
    assert ran.err == "10000 of 12000 lines\n12000 of 12000 lines\n"
    assert await site.owner.fetchval("SELECT min(id) FROM users WHERE id LIKE 'many%'") == "many05000"


async def test_a_key_lives_from_creation_over_rotation_to_its_end(site: Site) -> None:
    made = (await site.run("keys", "create", "ci", "--scope", "trace", "--json")).json
    assert made["scopes"] == ["trace"]
    rotated = (await site.run("keys", "rotate", made["id"], "--json")).json
    assert rotated["id"] == made["id"]
    for opens in (made["key"], rotated["key"]):
        assert (await site.run("trace", str(uuid.uuid4()), key=opens)).code == 4
    assert (await site.run("keys", "revoke", made["id"])).out == f"{made['id']} revoked\n"
    refused = await site.run("trace", str(uuid.uuid4()), key=rotated["key"])
    assert (refused.code, "TOCSIN_API_KEY" in refused.err) == (1, True)
    listed = {each["id"]: each for each in (await site.run("keys", "list", "--json")).json}
    assert listed[made["id"]]["revoked_at"] is not None
    assert "key" not in listed[made["id"]] or listed[made["id"]]["key"] is None


async def test_a_key_without_the_scope_is_told_how_to_get_one(site: Site) -> None:
    made = (await site.run("keys", "create", "ci", "--scope", "publish", "--json")).json
    refused = await site.run("keys", "list", key=made["key"])
    assert (refused.code, "scope" in refused.err) == (1, True)


async def test_a_trace_shows_each_delivery_with_its_attempts_and_reasons(site: Site) -> None:
    notification = await rows.notification(site.owner)
    await rows.item(site.owner, notification, "ada")
    delivery = await rows.delivery(site.owner, notification, state="dead", reason="attempts_exhausted", due_at=None)
    await rows.insert(site.owner, "attempts", {
        "tenant": rows.TENANT, "delivery_id": delivery["id"], "expires_on": delivery["expires_on"], "attempt": 1,
        "at": datetime.now(UTC), "outcome": "retry", "reason": "timeout", "detail": "slow", "seconds": 20.0,
    })  # fmt: skip
    await rows.insert(site.owner, "identities", {
        "id": notification["id"], "tenant": rows.TENANT, "accepted_at": notification["accepted_at"],
        "taken_in_at": notification["created_at"], "expires_on": notification["expires_on"] + timedelta(days=7),
    })  # fmt: skip
    shown = await site.run("trace", str(notification["id"]))
    assert shown.code == 0, shown.err
    line = next(line for line in shown.out.splitlines() if line.startswith("ada"))
    assert all(word in line for word in ("push", "dead", "attempts_exhausted", "retry (timeout)")), line
    found = (await site.run("trace", str(notification["id"]), "--recipient", "ada", "--json")).json
    assert [(each["state"], len(each["attempts"])) for each in found["deliveries"]] == [("dead", 1)]


async def test_dead_letters_are_listed_shown_and_sent_again(site: Site) -> None:
    letter = await rows.insert(site.owner, "dead_letters", dead_letter())
    listed = (await site.run("dead-letters", "list", "--reason", "undecodable", "--json")).json
    assert [each["id"] for each in listed] == [str(letter["id"])]
    shown = await site.run("dead-letters", "show", str(letter["id"]))
    assert "digest.windows/3@41" in shown.out
    assert shown.out.endswith("{not json\n")
    trial = (await site.run("dead-letters", "redrive", str(letter["id"]), "--dry-run", "--json")).json
    assert (trial["matched"], trial["redriven"], trial["dry_run"]) == (1, 0, True)
    done = await site.run("dead-letters", "redrive", str(letter["id"]))
    assert (done.code, done.out.startswith("1 of 1 are sent again")) == (0, True), done.err
    again = (await site.run("dead-letters", "redrive", str(letter["id"]), "--json")).json
    assert again["redriven"] == 0


async def test_a_pending_schedule_is_listed_and_cancelled(site: Site) -> None:
    await rows.insert(site.owner, "schedules", schedule(71, "pending"))
    await rows.insert(site.owner, "schedules", schedule(72, "released"))
    assert (await site.run("schedules", "cancel", "71")).out == "71 cancelled\n"
    late = await site.run("schedules", "cancel", "72")
    assert (late.code, "released" in late.err) == (1, True)
    states = {each["id"]: each["state"] for each in (await site.run("schedules", "list", "--json")).json}
    assert states == {71: "cancelled", 72: "released"}


async def test_what_is_not_there_exits_with_four(site: Site) -> None:
    assert (await site.run("dead-letters", "show", str(uuid.uuid4()))).code == 4
    assert (await site.run("schedules", "cancel", "4000")).code == 4


async def test_the_client_keeps_endpoints_and_classes(site: Site) -> None:
    async with Console(site.url, site.key) as console:
        await console.put_user({"id": "hooked"})
        made = await console.create_endpoint("hooked", "http://127.0.0.1:9/hook")
        assert (made.state, (made.secret or "").startswith("whsec_")) == ("active", True)
        assert [each.secret async for each in console.endpoints() if each.id == made.id] == [None]
        await console.delete_endpoint(made.id)
        assert [each.id async for each in console.endpoints() if each.id == made.id] == []
        stored = await console.put_class("alarms", {"email": "immediate"}, "Alarms")
        assert (stored.key, stored.options) == ("alarms", {"email": "immediate"})


def dead_letter() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "tenant": rows.TENANT, "id": uuid.uuid4(), "expires_on": (now + timedelta(days=7)).date(),
        "reason": "undecodable", "detail": "not JSON", "topic": "digest.windows", "partition": 3, "offset": 41,
        "key": b"k", "headers": [], "original": b"{not json", "at": now,
    }  # fmt: skip


def schedule(number: int, state: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": number, "tenant": rows.TENANT, "notification_id": uuid.uuid4(), "due_at": now + timedelta(days=1),
        "local": datetime(2026, 12, 1, 9, 0), "timezone": "Europe/London", "state": state,  # noqa: DTZ001 - local
        "notification": {}, "remove_after": now + timedelta(days=15),
    }  # fmt: skip


async def test_a_person_is_exported_and_erased(site: Site) -> None:
    ada = person.made(rows.TENANT)
    await person.everywhere(site.owner, ada)
    ran = await site.run("users", "export", ada.id)
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert {"users", "inbox_items", "dead_letters"} <= {line["table"] for line in lines}
    refused = await site.run("users", "erase", ada.id)
    assert (refused.code, "--yes" in refused.err) == (1, True), "nobody is there to be asked"
    erased = await site.run("users", "erase", ada.id, "--yes", "--json")
    assert erased.code == 0
    assert erased.json["complete"]
    assert (await site.run("users", "export", "nobody-at-all")).code == 4
    shown = await site.run("users", "erase", ada.id, "--yes")
    assert "nothing is left" in shown.out


async def test_who_is_being_written_to_is_not_erased_in_time(site: Site) -> None:
    ada = person.made(rows.TENANT)
    told = await rows.notification(site.owner)
    await rows.item(site.owner, told, ada.id)
    await rows.delivery(site.owner, told, recipient=ada.id, state="leased", reason=None, due_at=None)
    ran = await site.run("users", "erase", ada.id, "--yes", "--within", "0")
    assert (ran.code, "being sent" in ran.err) == (3, True)


async def test_the_client_keeps_templates_suppressions_and_the_sender(site: Site) -> None:
    async with Console(site.url, site.key) as console:
        made = await console.put_template("offers", "<p>Hello {{ userFirstName }}, {{ offer }}</p>")
        assert (made.version, made.required) == (1, ("offer",))
        assert "offers" in [one.name async for one in console.templates()]
        assert (await console.template("offers", 1)).html.startswith("<p>Hello")
        assert "Soup" in (await console.preview_template("offers", {"offer": "Soup"})).text
        await console.delete_template("offers")
        await console.suppress("ada@example.test", "asked on the telephone")
        assert (await console.suppression("ADA@example.test")).reason == "manual"
        assert "ada@example.test" in [one.address async for one in console.suppressions()]
        await console.delete_suppression("ada@example.test")
        await console.put_property("mail.from", "Acme <mail@acme.example>")
        assert await console.property_value("mail.from") == "Acme <mail@acme.example>"
