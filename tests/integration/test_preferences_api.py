"""Preferences over HTTP: of the tenant's admin for any recipient, and of a recipient for oneself (X7)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.access import Scope
from shared.client import Console, RefusedError
from shared.client.preferences import Preference
from tests.support import api, consoles, inboxes

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFERS = {"channel": "email", "class": "offers"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consoles_site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[consoles.Site]:
    async with consoles.running(postgres_server, tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def console(consoles_site: consoles.Site) -> consoles.Console:
    made = await consoles.of_new_tenant(consoles_site)
    await made.user("ada")
    await made.user("bob")
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inboxes_site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[inboxes.Site]:
    async with inboxes.serving(postgres_server, tmp_path_factory.mktemp("inbox")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def inbox(inboxes_site: inboxes.Site) -> inboxes.Inbox:
    made = await inboxes.inbox(inboxes_site)
    await made.owner.execute("INSERT INTO users (tenant, id) VALUES ($1, 'ada'), ($1, 'bob')", made.tenant)
    return made


def about(answer: Any) -> list[tuple[str, str, str | None, str | None, str]]:
    return [
        (each["recipient"], each["channel"], each["class"], each["asset"], each["state"]) for each in answer["items"]
    ]


async def put(console: consoles.Console, **fields: Any) -> Any:
    answer = await console.ask("PUT", "/v1/preferences", json={"recipient": "ada", "state": "unsubscribed", **fields})
    assert answer.status == 200, answer.json
    return answer.json


async def test_an_admin_says_for_a_recipient_what_is_wanted_and_reads_it_page_by_page(
    console: consoles.Console,
) -> None:
    made = await put(console, **OFFERS)
    assert await put(console, **OFFERS) == made
    await put(console, channel="push", asset="4")
    await put(console, channel="email", recipient="bob")
    first = (await console.ask("GET", "/v1/preferences?limit=1")).json
    rest = (await console.ask("GET", f"/v1/preferences?cursor={first['next']}")).json
    assert about(first) + about(rest) == [
        ("ada", "email", "offers", None, "unsubscribed"),
        ("ada", "push", None, "4", "unsubscribed"),
        ("bob", "email", None, None, "unsubscribed"),
    ]
    assert rest["next"] is None
    assert about((await console.ask("GET", "/v1/preferences?recipient=bob")).json) == about(rest)[1:]


async def test_a_preference_changes_and_is_forgotten(console: consoles.Console) -> None:
    made = await put(console, **OFFERS)
    changed = await put(console, **OFFERS, state="subscribed")
    assert changed["changed_at"] > made["changed_at"]
    await put(console, channel="email")
    gone = "/v1/preferences?recipient=ada&channel=email"
    assert (await console.ask("DELETE", f"{gone}&class=offers")).status == 204
    assert about((await console.ask("GET", "/v1/preferences")).json) == [("ada", "email", None, None, "unsubscribed")]
    assert (await console.ask("DELETE", f"{gone}&class=offers")).status == 404
    assert (await console.ask("DELETE", gone)).status == 204


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"channel": "inbox"}, "/channel"),
        ({"channel": "email", "state": "perhaps"}, "/state"),
        ({"channel": "email", "class": ""}, "/class"),
        ({"channel": "email", "asset": "x" * 101}, "/asset"),
        ({"channel": "email", "tag": "4"}, "/tag"),
        ({}, "/channel"),
    ],
)
async def test_what_is_no_preference_is_refused(console: consoles.Console, fields: Any, pointer: str) -> None:
    body = {"recipient": "ada", "state": "unsubscribed", **fields}
    answer = await console.ask("PUT", "/v1/preferences", json=body)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


async def test_who_is_not_in_the_directory_wants_nothing_and_tenants_do_not_see_each_other(
    console: consoles.Console, consoles_site: consoles.Site
) -> None:
    body = {"recipient": "eve", "channel": "email", "state": "unsubscribed"}
    assert (await console.ask("PUT", "/v1/preferences", json=body)).status == 404
    await put(console, **OFFERS)
    other = await consoles.of_new_tenant(consoles_site)
    assert (await other.ask("GET", "/v1/preferences")).json["items"] == []
    assert (await other.ask("DELETE", "/v1/preferences?recipient=ada&channel=email&class=offers")).status == 404
    reader = await api.key(console.owner, console.tenant, [Scope.TRACE])
    assert (await console.client.ask("GET", "/v1/preferences", reader)).status == 403


async def test_the_sdk_says_the_same(console: consoles.Console, consoles_site: consoles.Site) -> None:
    key = console.admin["Authorization"].removeprefix("Bearer ")
    wanted = Preference(recipient="ada", channel="push", class_key="offers", state="unsubscribed")
    async with Console(consoles_site.client.base, key) as client:
        assert (await client.put_preference(wanted)).state == "unsubscribed"
        assert [one.class_key async for one in client.preferences("ada")] == ["offers"]
        await client.delete_preference(wanted)
        assert [one async for one in client.preferences()] == []
        with pytest.raises(RefusedError) as missing:
            await client.delete_preference(wanted)
        assert missing.value.is_missing


async def test_a_recipient_says_so_for_oneself_and_sees_nobody_elses(inbox: inboxes.Inbox) -> None:
    ada, bob = await inbox.token("ada"), await inbox.token("bob")
    body = {**OFFERS, "state": "unsubscribed"}
    answer = await inbox.client.ask("PUT", "/v1/inbox/preferences", ada, json=body)
    assert (answer.status, answer.json["recipient"], answer.json["class"]) == (200, "ada", "offers")
    listed = await inbox.client.ask("GET", "/v1/inbox/preferences", ada)
    assert about(listed.json) == [("ada", "email", "offers", None, "unsubscribed")]
    assert (await inbox.client.ask("GET", "/v1/inbox/preferences", bob)).json["items"] == []
    gone = "/v1/inbox/preferences?channel=email&class=offers"
    assert (await inbox.client.ask("DELETE", gone, bob)).status == 404
    assert (await inbox.client.ask("DELETE", gone, ada)).status == 204
    named = {**body, "recipient": "bob"}
    assert (await inbox.client.ask("PUT", "/v1/inbox/preferences", ada, json=named)).status == 422
    assert (await inbox.client.ask("GET", "/v1/inbox/preferences", inbox.admin)).status == 401
