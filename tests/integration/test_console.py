"""The console over real HTTP and PostgreSQL: what operators and tenants' admins do, and what they are refused."""

import base64
import io
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.access import Scope
from tests.support import api
from tests.support.api import Answer
from tests.support.consoles import Console

pytestmark = pytest.mark.asyncio(loop_scope="module")


def codes(answer: Answer) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in answer.json["errors"]]


async def test_a_user_is_put_read_listed_and_deleted_with_endpoints_and_memberships(console: Console) -> None:
    ada = {
        "id": "ada", "login": "ada", "email": "ada@example.test", "first_name": "Ada", "last_name": "Lovelace",
        "locale": "en-GB", "timezone": "Europe/London", "quiet_hours": {"from": "22:00", "to": "07:30"}, "kind": "user",
        "roles": ["admin"],
    }  # fmt: skip
    assert (await console.ask("PUT", "/v1/users/ada", json=ada)).json == ada
    assert (await console.ask("GET", "/v1/users/ada")).json == ada
    await console.user("grace")
    await console.user("ada")
    assert (await console.ask("GET", "/v1/users/ada")).json["email"] is None, "PUT replaces every field"
    await console.endpoint()
    await console.ask("PUT", "/v1/groups/company/3", json={})
    assert (await console.ask("PUT", "/v1/groups/company/3/members/ada", json={})).status == 200
    assert (await console.ask("DELETE", "/v1/users/ada")).status == 204
    assert (await console.ask("GET", "/v1/users/ada")).status == 404
    assert (await console.ask("DELETE", "/v1/users/ada")).status == 404
    assert [user["id"] for user in (await console.ask("GET", "/v1/users")).json["items"]] == ["grace"]
    assert (await console.ask("GET", "/v1/endpoints")).json["items"] == []
    assert (await console.ask("GET", "/v1/groups/company/3/members")).json["items"] == []


async def test_ids_may_hold_any_character_of_a_line(console: Console) -> None:
    assert (await console.ask("PUT", "/v1/users/eu%2Fzo%C3%AB%20%3F", json={"id": "eu/zoë ?"})).status == 200
    assert (await console.ask("GET", "/v1/users/eu%2Fzo%C3%AB%20%3F")).json["id"] == "eu/zoë ?"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"emial": "a@b.de"}, [("/emial", "extra_forbidden")]),
        ({"id": "grace"}, [("/id", "mismatch")]),
        ({"email": "nobody", "timezone": "Mars/Olympus"}, [("/email", "value_error"), ("/timezone", "value_error")]),
        ({"login": "a\u0000"}, [("/login", "value_error")]),
        ({"first_name": "a\nb"}, [("/first_name", "value_error")]),
        ({"kind": "robot"}, [("/kind", "literal_error")]),
        ({"quiet_hours": {"from": "22:00", "to": "24:00"}}, [("/quiet_hours/to", "string_pattern_mismatch")]),
        ({"quiet_hours": {"from": "22:00"}}, [("/quiet_hours/to", "missing")]),
        ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, [("/quiet_hours", "value_error")]),
    ],
    ids=[
        "unknown field",
        "other id",
        "no address, no zone",
        "NUL",
        "two lines",
        "unknown kind",
        "no time of day",
        "no end",
        "no length",
    ],
)
async def test_a_wrong_user_is_refused_with_every_error(
    console: Console, body: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    answer = await console.ask("PUT", "/v1/users/ada", json=body)
    assert answer.status == 422
    assert codes(answer) == wrong


async def test_lists_are_read_page_by_page(console: Console) -> None:
    names = [f"user-{number:02}" for number in range(7)]
    for name in names:
        await console.user(name)
    seen, cursor = [], ""
    while True:
        answer = (await console.ask("GET", f"/v1/users?limit=3{cursor}")).json
        seen.append([user["id"] for user in answer["items"]])
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == [names[:3], names[3:6], names[6:]]
    assert (await console.ask("GET", "/v1/users?limit=101")).status == 422
    assert codes(await console.ask("GET", "/v1/users?cursor=nonsense")) == [("/cursor", "invalid_cursor")]


async def test_users_are_imported_line_by_line_and_wrong_lines_are_told(console: Console) -> None:
    lines = b'{"id": "ada", "roles": ["admin"]}\n\n{"id": "grace", "emial": "x"}\n{not json\n{"id": "alan"}\n'
    answer = await console.client.ask(
        "POST", "/v1/directory/import", {**console.admin, "content-type": "application/x-ndjson"}, data=lines
    )
    assert (answer.json["imported"], answer.json["failed"]) == (2, 2)
    assert [(wrong["line"], wrong["errors"][0]["code"]) for wrong in answer.json["errors"]] == [
        (3, "extra_forbidden"),
        (4, "not_json"),
    ]
    assert [user["id"] for user in (await console.ask("GET", "/v1/users")).json["items"]] == ["ada", "alan"]


async def test_users_are_imported_from_csv(console: Console) -> None:
    text = 'id,email,roles\r\nada,ada@example.test,"admin; editor"\r\ngrace,,\r\nalan,x,y,z\r\n'
    answer = await console.client.ask(
        "POST", "/v1/directory/import", {**console.admin, "content-type": "text/csv; charset=utf-8"}, data=text.encode()
    )
    assert (answer.json["imported"], [wrong["line"] for wrong in answer.json["errors"]]) == (2, [4])
    assert (await console.ask("GET", "/v1/users/ada")).json["roles"] == ["admin", "editor"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-ndjson", b"\xff\n", 422),
        ("text/csv", b"", 422),
        ("image/png", b"x", 415),
        ("text/csv", b"x" * 17_000, 413),
    ],
    ids=["not UTF-8", "empty", "another type", "too large"],
)
async def test_what_is_no_file_of_users_is_refused(
    console: Console, content_type: str, body: bytes, status: int
) -> None:
    headers = {**console.admin, "content-type": content_type}
    sent = io.BytesIO(body * 1_000 if status == 413 else body)
    assert (await console.client.ask("POST", "/v1/directory/import", headers, data=sent)).status == status


async def test_an_endpoint_shows_its_secret_once(console: Console) -> None:
    await console.user()
    made = await console.endpoint()
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert (made["state"], made["reason"], made["recipient"]) == ("active", None, "ada")
    one = (await console.ask("GET", f"/v1/endpoints/{made['id']}")).json
    assert "secret" not in one
    assert (await console.ask("GET", "/v1/endpoints?recipient=ada")).json["items"] == [one]
    assert (await console.ask("GET", "/v1/endpoints?recipient=grace")).json["items"] == []
    assert (await console.ask("DELETE", f"/v1/endpoints/{made['id']}")).status == 204
    assert (await console.ask("GET", f"/v1/endpoints/{made['id']}")).status == 404


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"address": "http://10.0.0.1/"}, ("/address", "forbidden_destination")),
        ({"address": "https://169.254.169.254/"}, ("/address", "forbidden_destination")),
        ({"kind": "apprise"}, ("/kind", "unsupported")),
        ({"recipient": "nobody"}, ("/recipient", "unknown_recipient")),
        ({"channel": "email"}, ("/channel", "literal_error")),
    ],
    ids=["plain http", "metadata address", "kind of a later release", "nobody", "another channel"],
)
async def test_an_endpoint_that_could_not_be_used_is_refused(
    console: Console, changed: dict[str, Any], wrong: tuple[str, str]
) -> None:
    await console.user()
    body = {"recipient": "ada", "channel": "push", "kind": "webhook", "address": "https://hooks.example/", **changed}
    answer = await console.ask("POST", "/v1/endpoints", json=body)
    assert (answer.status, codes(answer)) == (422, [wrong])


async def test_a_rotated_key_opens_beside_the_one_before_until_told_otherwise(console: Console) -> None:
    made = (await console.ask("POST", "/v1/keys", json={"name": "ci", "scopes": ["directory"]})).json
    first = {"Authorization": f"Bearer {made['key']}"}
    rotated = (await console.ask("POST", f"/v1/keys/{made['id']}/rotate")).json
    second = {"Authorization": f"Bearer {rotated['key']}"}
    assert rotated["id"] == made["id"]
    for headers in (first, second):
        assert (await console.client.ask("GET", "/v1/users", headers)).status == 200
    third = (await console.ask("POST", f"/v1/keys/{made['id']}/rotate", json={"both_seconds": 0})).json["key"]
    assert [
        (await console.client.ask("GET", "/v1/users", headers)).status
        for headers in (first, second, {"Authorization": f"Bearer {third}"})
    ] == [401, 401, 200]


async def test_a_revoked_or_past_key_opens_nothing(console: Console) -> None:
    made = (await console.ask("POST", "/v1/keys", json={"name": "ci", "scopes": ["directory"]})).json
    assert (await console.ask("DELETE", f"/v1/keys/{made['id']}")).status == 204
    headers = {"Authorization": f"Bearer {made['key']}"}
    answer = await console.client.ask("GET", "/v1/users", headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (await console.ask("POST", f"/v1/keys/{made['id']}/rotate")).status == 404
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = (await console.ask("POST", "/v1/keys", json={"name": "x", "scopes": ["trace"], "expires_at": soon})).json
    await console.owner.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", made["id"])
    past = await console.client.ask("GET", f"/v1/traces/{uuid.uuid4()}", {"Authorization": f"Bearer {made['key']}"})
    assert past.status == 401


async def test_keys_are_listed_without_what_they_are(console: Console) -> None:
    listed = (await console.ask("GET", "/v1/keys")).json["items"]
    assert [sorted(key) for key in listed] == [
        ["created_at", "expires_at", "id", "name", "previous_until", "revoked_at", "scopes"]
    ]
    answer = await console.ask("POST", "/v1/keys", json={"name": "x", "scopes": ["everything", "publish:alarms"]})
    assert codes(answer) == [("/scopes/0", "value_error")]


ADMIN_ONLY = [
    ("GET", "/v1/keys"), ("GET", "/v1/classes"), ("GET", "/v1/importances"), ("GET", "/v1/properties"),
    ("GET", "/v1/schedules"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        *((Scope.DIRECTORY, method, path) for method, path in ADMIN_ONLY),
        (Scope.PUBLISH, "GET", "/v1/users"),
        (Scope.PUBLISH, "GET", "/v1/endpoints"),
        (Scope.DIRECTORY, "GET", "/v1/dead-letters"),
        (Scope.DIRECTORY, "GET", f"/v1/traces/{uuid.UUID(int=7)}"),
    ],
)
async def test_a_key_without_the_scope_is_refused(console: Console, scope: Scope, method: str, path: str) -> None:
    limited = await api.key(console.owner, console.tenant, [scope])
    assert (await console.client.ask(method, path, limited)).status == 403
    assert (await console.client.ask(method, path)).status == 401
    assert (await console.client.ask(method, path, {"Authorization": "Bearer tk_x"})).status == 401


async def test_classes_importances_and_properties_are_put_and_read(console: Console) -> None:
    alarms = {"name": "Alarms", "options": {"email": "immediate", "window_seconds": 60, "color": {"any": 1}}}
    assert (await console.ask("PUT", "/v1/classes/alarms", json=alarms)).json == {"key": "alarms", **alarms}
    assert (await console.ask("GET", "/v1/classes/alarms")).json == {"key": "alarms", **alarms}
    assert (await console.ask("GET", "/v1/classes/none")).status == 404
    danger = {"retention": 30, "cssClass": "bg-red", "sort": 9, "send": False}
    assert (await console.ask("PUT", "/v1/importances/danger", json=danger)).json == {"name": "danger", **danger}
    listed = (await console.ask("GET", "/v1/importances")).json["items"]
    assert [one["name"] for one in listed] == ["warning", "primary", "success", "info", "default", "danger"]
    assert (await console.ask("GET", "/v1/importances/info")).json["cssClass"] == "bg-info"
    value = {"value": {"nested": [1, True, None], "no NUL, but its name": "[^\\u0000]"}}
    assert (await console.ask("PUT", "/v1/properties/a.b", json=value)).json == {"name": "a.b", **value}
    assert (await console.ask("GET", "/v1/properties/a.b")).json == {"name": "a.b", **value}
    assert (await console.ask("GET", "/v1/properties/none")).status == 404
    for pattern in ("https://crm.example/{table}?sys_id={id}", ""):
        answer = await console.ask("PUT", "/v1/properties/sn_dex_desktop.referrer_url", json={"value": pattern})
        assert (answer.status, answer.json["value"]) == (200, pattern)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/classes/a", {"name": "A", "options": {"email": "sometimes"}}, "/options"),
        ("/v1/classes/a", {"name": "A", "options": {"window_seconds": "60"}}, "/options"),
        ("/v1/classes/a", {"name": "A", "options": {"window_seconds": 518_400}}, "/options"),
        ("/v1/classes/a", {"name": "A", "options": {"email": {}}}, "/options"),
        ("/v1/classes/a", {"name": "A", "options": {"x": "a\u0000"}}, "/options"),
        ("/v1/classes/a", {"name": "A", "options": {"x": "a\\\u0000"}}, "/options"),
        ("/v1/classes/a", {"name": "A", "options": {"x": "y" * 17_000}}, "/options"),
        ("/v1/importances/danger", {"retention": 0, "cssClass": "", "sort": 1, "send": True}, "/retention"),
        ("/v1/importances/danger", {"retention": 7, "cssClass": '"><', "sort": 1, "send": True}, "/cssClass"),
        ("/v1/importances/grave", {"retention": 7, "cssClass": "", "sort": 1, "send": True}, "/name"),
        ("/v1/properties/a", {"value": None}, "/value"),
        ("/v1/properties/sn_dex_desktop.referrer_url", {"value": "crm.example/{table}/{id}"}, "/value"),
        ("/v1/properties/sn_dex_desktop.referrer_url", {"value": True}, "/value"),
        ("/v1/properties/sn_dex_desktop.enable_push_notification", {"value": "yes"}, "/value"),
        ("/v1/properties/sn_dex_desktop.enable_push_notification", {"value": 1}, "/value"),
    ],
)
async def test_configuration_that_means_nothing_is_refused(
    console: Console, path: str, body: dict[str, Any], where: str
) -> None:
    answer = await console.ask("PUT", path, json=body)
    assert answer.status == 422
    assert [pointer for pointer, _ in codes(answer)] == [where]


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("body", "media_type", "status", "said"),
    [
        pytest.param(b'{"name": "A"', JSON, 422, "not JSON", id="cut off"),
        pytest.param(b'{"name": "\xff"}', JSON, 422, "not JSON in UTF-8", id="no UTF-8"),
        pytest.param(b"[" * 100_000, JSON, 422, "nested too deep", id="too deep"),
        pytest.param(b'{"name": "A"}', {}, 415, "Content-Type: application/json", id="not said to be JSON"),
        pytest.param(b"name=A", FORM, 415, "Content-Type", id="a form"),
        pytest.param(b"", JSON, 422, "this field is required", id="nothing"),
    ],
)
async def test_what_is_no_json_is_told_what_to_send(
    console: Console, body: bytes, media_type: dict[str, str], status: int, said: str
) -> None:
    answer = await console.client.ask("PUT", "/v1/classes/a", {**console.admin, **media_type}, data=body)
    assert answer.status == status
    assert said in answer.json["detail"] + "".join(error["detail"] for error in answer.json["errors"])
    assert [error["pointer"] for error in answer.json["errors"]] == ([""] if status == 422 else [])


async def test_an_address_with_a_slash_too_many_is_unknown_and_leads_nowhere(console: Console) -> None:
    answer = await console.client.ask("GET", "/v1/schedules/", {**console.admin, "Host": "elsewhere.example"})
    assert (answer.status, answer.headers.get("location")) == (404, None)


async def test_a_body_over_the_limit_is_refused_before_it_is_read(console: Console) -> None:
    answer = await console.ask("PUT", "/v1/users/ada", data=io.BytesIO(b"x" * 1_048_577))
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    assert (await console.ask("PUT", "/v1/users/ada", data=chunks())).status == 413


async def test_the_api_describes_itself(console: Console) -> None:
    document = (await console.client.ask("GET", "/v1/openapi.json")).json
    assert {"/v1/users", "/v1/endpoints", "/v1/keys", "/v1/traces/{notification_id}"} <= set(document["paths"])
    assert (await console.client.ask("GET", "/v1/nothing", console.admin)).status == 404
