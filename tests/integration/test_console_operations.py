"""Schedules and dead letters over real HTTP and PostgreSQL, and what no tenant sees of another."""

import base64
import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contract import topics
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres import bodies, dead_letters, outbox
from tests.support import api, consoles, rows
from tests.support.consoles import Console, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


async def record_letter(console: Console, value: bytes = b"{", offset: int = 7) -> uuid.UUID:
    """A record that nobody understood."""
    poison = Record(topics.SCHEDULED, b"key", value, [("trace", b"\xff")])
    letter = dead_letters.of_record(poison, (1, offset), console.tenant, Reason.UNDECODABLE, "not JSON")
    await dead_letters.bury(console.owner, [letter])
    return letter.id


async def delivery_letter(console: Console, **values: Any) -> tuple[uuid.UUID, dict[str, Any]]:
    """A delivery given up after its third attempt, and its letter."""
    made = await rows.notification(console.owner, tenant=console.tenant)
    dead = await rows.delivery(
        console.owner, made, state="dead", reason="attempts_exhausted", attempt=3, due_at=None, ended_at=NOW
    )
    attempt = {"tenant": console.tenant, "delivery_id": dead["id"], "expires_on": dead["expires_on"], "attempt": 3,
               "at": NOW, "outcome": "retry", "reason": "timeout", "seconds": 1.0}  # fmt: skip
    await rows.insert(console.owner, "attempts", attempt)
    letter = {"tenant": console.tenant, "id": uuid.uuid4(), "expires_on": dead["expires_on"],
              "reason": "attempts_exhausted", "detail": "gave up", "topic": "deliveries.push.urgent",
              "delivery_id": dead["id"], "headers": [], "original": b"{}", "at": NOW, **values}  # fmt: skip
    await rows.insert(console.owner, "dead_letters", letter)
    return letter["id"], dead


async def state_of(console: Console, delivery: dict[str, Any]) -> dict[str, Any]:
    return await rows.one(console.owner, "SELECT * FROM deliveries WHERE id = $1", delivery["id"])


async def outbox_of(console: Console, topic: str, value: bytes) -> list[tuple[Record, float]]:
    """Stored records of a topic and value, with the seconds they wait."""
    stored = await console.owner.fetch(
        "SELECT records, extract(epoch FROM created_at - now())::float8 AS wait FROM outbox ORDER BY created_at"
    )
    return [
        (record, row["wait"])
        for row in stored
        for record in outbox.records_of(row["records"])
        if (record.topic, record.value) == (topic, value)
    ]


async def test_dead_letters_are_listed_and_shown_with_their_bytes(console: Console) -> None:
    letter = await record_letter(console)
    await delivery_letter(console)
    large = await record_letter(console, b"x" * 20_000, 8)
    listed = (await console.ask("GET", "/v1/dead-letters?reason=undecodable")).json["items"]
    assert [one["id"] for one in listed] == [str(letter), str(large)]
    assert {name: listed[0][name] for name in ("reason", "detail", "topic", "partition", "offset", "redriven")} == {
        "reason": "undecodable", "detail": "not JSON", "topic": topics.SCHEDULED, "partition": 1, "offset": 7,
        "redriven": None,
    }  # fmt: skip
    assert [one["original"] for one in listed] == [base64.b64encode(b"{").decode(), None]
    whole = (await console.ask("GET", f"/v1/dead-letters/{large}")).json
    assert base64.b64decode(whole["original"]) == b"x" * 20_000
    first = (await console.ask("GET", "/v1/dead-letters?limit=2")).json
    rest = (await console.ask("GET", f"/v1/dead-letters?limit=2&cursor={first['next']}")).json
    assert len({one["id"] for one in (*first["items"], *rest["items"])}) == 3


async def test_the_original_of_a_large_letter_is_shown_from_where_it_stands(console: Console) -> None:
    letter = await record_letter(console, b"y" * 600_000)
    shown = (await console.ask("GET", f"/v1/dead-letters/{letter}")).json
    assert len(base64.b64decode(shown["original"])) == 600_000


async def test_a_large_original_is_read_by_its_reference(console: Console) -> None:
    value = b"<script>" + b"y" * 600_000
    await record_letter(console, value)
    path = f"/v1/bodies/{bodies.reference(value).hex()}"
    answer = await console.ask("GET", path)
    assert (answer.status, answer.body) == (200, value)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await console.ask("GET", "/v1/bodies/" + "0" * 64)).status == 404
    assert (await console.ask("GET", "/v1/bodies/nonsense")).status == 422


async def test_a_redriven_delivery_keeps_its_id_and_gets_one_more_attempt(console: Console) -> None:
    letter, dead = await delivery_letter(console)
    answer = await console.ask("POST", "/v1/dead-letters/redrive", json={"ids": [str(letter)]})
    assert (answer.json["matched"], answer.json["redriven"]) == (1, 1)
    row = await state_of(console, dead)
    assert (row["state"], row["reason"], row["attempt"], row["ended_at"]) == ("retry", "redriven", 4, None)
    assert (await console.ask("GET", f"/v1/dead-letters/{letter}")).json["redriven"] is not None
    again = await console.ask("POST", "/v1/dead-letters/redrive", json={"ids": [str(letter)]})
    assert again.json["matched"] == 0, "what was re-driven is not re-driven again"


async def test_a_redriven_record_goes_to_its_topic_again_as_it_came(console: Console) -> None:
    value = uuid.uuid4().bytes
    letter = await record_letter(console, value)
    await console.ask("POST", "/v1/dead-letters/redrive", json={"ids": [str(letter)]})
    [(record, _)] = await outbox_of(console, topics.SCHEDULED, value)
    assert (record.key, list(record.headers)) == (b"key", [("trace", b"\xff")])


async def test_a_letter_whose_original_is_gone_is_refused_by_its_id_and_stays_as_it_is(console: Console) -> None:
    value = uuid.uuid4().bytes
    gone, sent = await record_letter(console, b"z" * 600_000), await record_letter(console, value, 8)
    await console.owner.execute("DELETE FROM bodies WHERE tenant = $1", console.tenant)
    body = {"ids": [str(gone), str(sent)]}
    trial = (await console.ask("POST", "/v1/dead-letters/redrive", json={**body, "dry_run": True})).json
    answer = (await console.ask("POST", "/v1/dead-letters/redrive", json=body)).json
    assert [(one["id"], one["reason"]) for one in answer["refused"]] == [(str(gone), "original_gone")]
    assert trial["refused"] == answer["refused"]
    assert (answer["matched"], answer["redriven"]) == (2, 1)
    assert len(await outbox_of(console, topics.SCHEDULED, value)) == 1
    left = await console.owner.fetch(
        "SELECT id FROM dead_letters WHERE redriven_at IS NULL AND tenant = $1", console.tenant
    )
    assert [row["id"] for row in left] == [gone]


async def test_redriving_is_spread_by_its_rate(console: Console) -> None:
    value = uuid.uuid4().bytes
    for offset in range(3):
        await record_letter(console, value, offset)
    dead = [(await delivery_letter(console))[1] for _ in range(2)]
    body = {"since": (NOW - timedelta(minutes=5)).isoformat(), "rate_per_second": 0.5}
    answer = (await console.ask("POST", "/v1/dead-letters/redrive", json=body)).json
    assert (answer["redriven"], answer["seconds"]) == (5, 10.0)
    now = await console.owner.fetchval("SELECT now()")
    waits = [wait for _, wait in await outbox_of(console, topics.SCHEDULED, value)]
    waits += [(row["due_at"] - now).total_seconds() for row in [await state_of(console, one) for one in dead]]
    steps = sorted(waits)
    assert all(later - sooner > 0.5 for sooner, later in itertools.pairwise(steps))


async def test_a_dry_run_only_counts(console: Console) -> None:
    _, dead = await delivery_letter(console)
    body = {"reason": "attempts_exhausted", "dry_run": True, "rate_per_second": 4}
    answer = (await console.ask("POST", "/v1/dead-letters/redrive", json=body)).json
    assert answer == {"matched": 1, "redriven": 0, "seconds": 0.25, "dry_run": True, "refused": []}
    assert (await state_of(console, dead))["state"] == "dead"


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": [str(uuid.UUID(int=7))], "reason": "x"}, {"ids": []}, {"reason": "x", "rate_per_second": 0}],
    ids=str,
)
async def test_what_to_redrive_is_named_in_exactly_one_way(console: Console, body: dict[str, Any]) -> None:
    assert (await console.ask("POST", "/v1/dead-letters/redrive", json=body)).status == 422


async def test_poison_of_nobody_is_shown_only_where_there_is_one_tenant(postgres_server: str, tmp_path: Any) -> None:
    async with consoles.running(postgres_server, tmp_path) as site:
        only = await consoles.of_new_tenant(site)
        poison = Record(topics.SCHEDULED, None, b"{")
        letter = dead_letters.of_record(poison, (0, 0), "", Reason.UNDECODABLE, "not JSON")
        await dead_letters.bury(site.owner, [letter])
        assert (await only.ask("GET", f"/v1/dead-letters/{letter.id}")).status == 200
        redriven = await only.ask("POST", "/v1/dead-letters/redrive", json={"reason": "undecodable"})
        assert redriven.json["redriven"] == 1
        await consoles.of_new_tenant(site)
        assert (await only.ask("GET", f"/v1/dead-letters/{letter.id}")).status == 404


async def test_schedules_are_listed_shown_and_cancelled(console: Console) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    await rows.schedule(console.owner, console.tenant, first, 101)
    await rows.schedule(console.owner, console.tenant, second, 102)
    shown = (await console.ask("GET", "/v1/schedules/101")).json
    assert {name: shown[name] for name in ("id", "notification_id", "timezone", "job", "state", "local")} == {
        "id": 101, "notification_id": str(first), "timezone": "Europe/Berlin", "job": None, "state": "pending",
        "local": "2026-12-01T09:00:00",
    }  # fmt: skip
    assert (await console.ask("DELETE", "/v1/schedules/101")).json["state"] == "cancelled"
    assert (await console.ask("DELETE", "/v1/schedules/101")).status == 200, "cancelling is repeatable"
    pending = (await console.ask("GET", "/v1/schedules?state=pending")).json["items"]
    assert [schedule["id"] for schedule in pending] == [102]
    events = [row for row in await console.owner.fetch("SELECT records FROM outbox") if str(first) in _text(row)]
    assert len(events) == 1
    await console.owner.execute("UPDATE schedules SET state = 'released' WHERE id = 102")
    assert (await console.ask("DELETE", "/v1/schedules/102")).status == 409


async def test_schedules_are_listed_and_cancelled_by_who_asked_for_them(console: Console, site: Site) -> None:
    for number, owner in ((901, "sendNotification:ada"), (902, "key-1"), (903, "sendNotification:ada")):
        await rows.schedule(console.owner, console.tenant, uuid.uuid4(), number, owner)
    other = await consoles.of_new_tenant(site)
    await rows.schedule(console.owner, other.tenant, uuid.uuid4(), 904, "sendNotification:ada")
    await console.owner.execute("UPDATE schedules SET state = 'released' WHERE id = 903")
    mine = "/v1/schedules?owner=sendNotification:ada"
    found = (await console.ask("GET", mine)).json["items"]
    assert [(schedule["id"], schedule["owner"]) for schedule in found] == [
        (901, "sendNotification:ada"), (903, "sendNotification:ada")
    ]  # fmt: skip
    assert [(await console.ask("DELETE", mine)).json for _ in range(2)] == [{"cancelled": 1}, {"cancelled": 0}]
    states = await console.owner.fetch("SELECT id, state FROM schedules WHERE id BETWEEN 901 AND 904 ORDER BY id")
    assert [row["state"] for row in states] == ["cancelled", "pending", "released", "pending"]
    assert (await console.ask("DELETE", "/v1/schedules")).status == 422, "not everybody's at once"
    for method in ("GET", "DELETE"):
        assert (await console.ask(method, "/v1/schedules?owner=a%00b")).status == 422


def _text(row: Any) -> str:
    return "".join((record.value or b"").decode("latin-1") for record in outbox.records_of(row["records"]))


async def _named(console: Console) -> None:
    """One of everything whose name its maker chooses."""
    await console.user("ada")
    for path, fields in (
        ("classes/mine", {"name": "Mine"}),
        ("properties/mine", {"value": 1}),
        ("templates/mine", {"html": "<p>{{ order }}</p>"}),
        ("tags/7", {"name": "Mine"}),
        ("groups/company/mine", {"name": "Mine"}),
        ("groups/company/mine/members/ada", {}),
    ):
        assert (await console.ask("PUT", f"/v1/{path}", json=fields)).status == 200, path


async def _added(console: Console, path: str, fields: dict[str, Any]) -> str:
    """The id of what a POST made."""
    answer = await console.ask("POST", f"/v1/{path}", json=fields)
    assert answer.status == 201, answer.json
    return str(answer.json["id"])


async def things(console: Console, letter: uuid.UUID) -> dict[str, dict[str, Any]]:
    """One of everything a tenant can have: what stands in its address, by where the addresses of its kind begin."""
    await _named(console)
    notification = (await rows.notification(console.owner, tenant=console.tenant))["id"]
    schedule = next(_SCHEDULES)
    await rows.schedule(console.owner, console.tenant, uuid.uuid4(), schedule)
    original = b"w" * 600_000
    await record_letter(console, original)
    blocked = {"address": "mine@example.test"}
    assert (await console.ask("POST", "/v1/suppressions", json=blocked)).status == 201
    unwanted = {"recipient": "ada", "channel": "email", "state": "unsubscribed"}
    assert (await console.ask("PUT", "/v1/preferences", json=unwanted)).status == 200
    in_group = {"kind": "company", "group": "mine", "user": "ada"}
    return {
        "/v1/users": {"user": "ada"},
        "/v1/groups": in_group,
        "/v1/endpoints": {"endpoint": (await console.endpoint("ada"))["id"]},
        "/v1/keys": {"key_id": await _added(console, "keys", {"name": "x", "scopes": ["trace"]})},
        "/v1/sam/company-keys": {"key_id": await _added(console, "sam/company-keys", {"company": "mine"})},
        "/v1/sam/tokens": {"token_id": await _added(console, "sam/tokens", {"user": "ada"})},
        "/v1/classes": {"class_key": "mine"},
        "/v1/properties": {"name": "mine"},
        "/v1/templates": {"name": "mine"},
        "/v1/tags": {"tag": 7},
        "/v1/suppressions": blocked,
        "/v1/schedules": {"schedule": schedule},
        "/v1/traces": {"notification_id": notification},
        "/v1/dead-letters": {"letter": letter},
        "/v1/bodies": {"reference": bodies.reference(original).hex()},
    }


_SCHEDULES = itertools.count(201)
"""Ids that no other test of this file takes: they are one sequence for all tenants."""

LISTS = {"/v1/groups/{kind}", "/v1/groups/{kind}/{group}/members"}
"""Addresses with a name in them that list all the same."""


async def operations(console: Console, of: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Every operation on one thing, its address filled in; `PUT` makes a thing of the caller's own.

    Importances have the same names everywhere. A kind of thing that `of` lacks is an error.
    """
    document = (await console.client.ask("GET", "/v1/openapi.json")).json
    return [
        (method.upper(), path.format(**of[path.partition("/{")[0]]))
        for path, described in document["paths"].items()
        for method in described
        if "{" in path and method != "put" and path not in LISTS and not path.startswith("/v1/importances/")
    ]


async def test_no_operation_reaches_what_is_another_tenants(console: Console, site: Site) -> None:
    """Every operation on one thing, asked for another tenant's thing: 404 everywhere, and nothing changes."""
    letter, dead = await delivery_letter(console)
    matrix = await operations(console, await things(console, letter))
    stranger = await api.key(site.owner, f"stranger-{uuid.uuid4().hex[:8]}")

    asked = {
        (method, path): await console.client.ask(method, path, stranger, **({"json": {}} if method == "POST" else {}))
        for method, path in matrix
    }

    assert len(matrix) > 20
    assert {operation: answer.status for operation, answer in asked.items()} == dict.fromkeys(matrix, 404)
    own = {path: (await console.ask(method, path)).status for method, path in matrix if method == "GET"}
    assert own == dict.fromkeys(own, 200)
    body = {"ids": [str(letter)]}
    redriven = await console.client.ask("POST", "/v1/dead-letters/redrive", stranger, json=body)
    assert redriven.json["matched"] == 0
    assert (await state_of(console, dead))["state"] == "dead"


async def test_no_list_shows_what_is_another_tenants(console: Console, site: Site) -> None:
    letter, _ = await delivery_letter(console)
    await things(console, letter)
    stranger = await api.key(site.owner, f"stranger-{uuid.uuid4().hex[:8]}")
    document = (await console.client.ask("GET", "/v1/openapi.json")).json
    lists = {path for path, described in document["paths"].items() if "get" in described and "{" not in path}

    async def shown(path: str, headers: dict[str, str]) -> int:
        return len((await console.client.ask("GET", path, headers)).json["items"])

    same_for_all = {"/v1/importances": 6, "/v1/templates": 1, "/v1/jobs": await shown("/v1/jobs", console.admin)}
    for path in lists | {"/v1/groups/company"}:
        expected = same_for_all.get(path, 1 if path == "/v1/keys" else 0)  # the key that the stranger asks with
        assert await shown(path, stranger) == expected, path
        assert path in same_for_all.keys() - {"/v1/templates"} or await shown(path, console.admin) > expected, path
    assert (await console.client.ask("GET", "/v1/groups/company/mine/members", stranger)).status == 404
