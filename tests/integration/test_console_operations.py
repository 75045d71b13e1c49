"""Schedules and dead letters over real HTTP and PostgreSQL, and what no tenant sees of another."""

import base64
import itertools
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.contract import topics
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres import bodies, dead_letters, outbox
from tests.support import api, consoles, rows
from tests.support.consoles import Console, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with consoles.running(postgres_server, tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def console(site: Site) -> Console:
    return await consoles.of_new_tenant(site)


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
    waits = [wait for _, wait in await outbox_of(console, topics.SCHEDULED, value)]
    waits += [(row["due_at"] - NOW).total_seconds() for row in [await state_of(console, one) for one in dead]]
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


def _text(row: Any) -> str:
    return "".join((record.value or b"").decode("latin-1") for record in outbox.records_of(row["records"]))


async def test_no_operation_reaches_what_is_another_tenants(console: Console, site: Site) -> None:
    """A matrix of every operation on one thing with another tenant's thing: 404 everywhere, and nothing changes."""
    await console.user("ada")
    endpoint = (await console.endpoint("ada"))["id"]
    key = (await console.ask("POST", "/v1/keys", json={"name": "x", "scopes": ["trace"]})).json["id"]
    await console.ask("PUT", "/v1/classes/mine", json={"name": "Mine"})
    await console.ask("PUT", "/v1/properties/mine", json={"value": 1})
    made = await rows.notification(console.owner, tenant=console.tenant)
    letter, dead = await delivery_letter(console)
    original = b"w" * 600_000
    await record_letter(console, original)
    await rows.schedule(console.owner, console.tenant, uuid.uuid4(), 201)
    matrix = [
        ("GET", "/v1/users/ada"), ("DELETE", "/v1/users/ada"),
        ("GET", f"/v1/endpoints/{endpoint}"), ("DELETE", f"/v1/endpoints/{endpoint}"),
        ("POST", f"/v1/keys/{key}/rotate"), ("DELETE", f"/v1/keys/{key}"),
        ("GET", "/v1/classes/mine"), ("GET", "/v1/properties/mine"),
        ("GET", f"/v1/traces/{made['id']}"), ("GET", f"/v1/dead-letters/{letter}"),
        ("GET", f"/v1/bodies/{bodies.reference(original).hex()}"),
        ("GET", "/v1/schedules/201"), ("DELETE", "/v1/schedules/201"),
    ]  # fmt: skip
    stranger = await api.key(site.owner, f"stranger-{uuid.uuid4().hex[:8]}")
    asked = {(method, path): await console.client.ask(method, path, stranger) for method, path in matrix}
    assert {operation: answer.status for operation, answer in asked.items()} == dict.fromkeys(matrix, 404)
    for path in ("users", "endpoints", "classes", "properties", "dead-letters", "schedules"):
        assert (await console.client.ask("GET", f"/v1/{path}", stranger)).json["items"] == []
    assert len((await console.client.ask("GET", "/v1/keys", stranger)).json["items"]) == 1
    body = {"ids": [str(letter)]}
    redriven = await console.client.ask("POST", "/v1/dead-letters/redrive", stranger, json=body)
    assert redriven.json["matched"] == 0
    assert (await state_of(console, dead))["state"] == "dead"
    own = [(await console.ask(method, path)).status for method, path in matrix if method == "GET"]
    assert set(own) == {200}


async def test_the_matrix_of_tenants_leaves_no_operation_out(console: Console) -> None:
    document = (await console.client.ask("GET", "/v1/openapi.json")).json
    on_one = {
        (method.upper(), path.partition("{")[0])
        for path, operations in document["paths"].items()
        for method in operations
        if "{" in path and method != "put"
    }
    assert on_one == {
        ("GET", "/v1/users/"), ("DELETE", "/v1/users/"), ("GET", "/v1/endpoints/"), ("DELETE", "/v1/endpoints/"),
        ("POST", "/v1/keys/"), ("DELETE", "/v1/keys/"), ("GET", "/v1/classes/"), ("GET", "/v1/properties/"),
        ("GET", "/v1/traces/"), ("GET", "/v1/dead-letters/"), ("GET", "/v1/schedules/"), ("DELETE", "/v1/schedules/"),
        ("GET", "/v1/importances/"), ("GET", "/v1/bodies/"),
    }, "a new operation on one thing belongs into the matrix; importances have the same names everywhere"  # fmt: skip
