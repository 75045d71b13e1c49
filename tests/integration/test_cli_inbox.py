"""A recipient's own notifications through the SDK and the command line, against a real inbox and PostgreSQL (C12)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from shared import access
from shared.client import Inbox, InboxTokens, RefusedError
from shared.client.answers import ActionUrl, Confirmation, InboxItem
from shared.postgres import tenants
from tests.support import databases, rows, service, unsubscribing
from tests.support.commands import Ran, tocsin

SECRET = b"the secret under which keys are stored"
URL = "https://crm.example/4172?popup=true"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Site:
    """A running inbox, an admin key of the tenant, and the owner's connection."""

    url: str
    key: str
    owner: asyncpg.Connection

    async def run(self, *arguments: str) -> Ran:
        return await asyncio.to_thread(tocsin, "inbox", *arguments, "--url", self.url, "--key", self.key)

    async def notified(self, recipient: str, *, to_act: bool = False, **values: Any) -> uuid.UUID:
        make = rows.open_action if to_act else rows.notification
        made = await make(self.owner, tenant=rows.TENANT, **values)
        await rows.item(self.owner, made, recipient)
        return uuid.UUID(str(made["id"]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    secret = tmp_path_factory.mktemp("secrets") / "secret"
    secret.write_bytes(SECRET)
    async with databases.cloned(postgres_server) as database:
        owner = await rows.owner(database.owner)
        await tenants.create_tenant(owner, rows.TENANT, "Acme")
        key = await tenants.create_key(owner, rows.TENANT, "test", [access.Scope.ADMIN], SECRET)
        told = {
            "postgres_dsn": database.dsn("inbox"),
            "kafka_bootstrap": "127.0.0.1:9",  # the API needs none
            "api_key_secret_file": str(secret),
            "inbox_token_secret_file": str(secret),
            **unsubscribing.SETTINGS,
        }
        async with service.running("inbox", told) as running:
            await running.until("/livez", 200)
            yield Site(running.http, key, owner)
            assert await running.stop() == 0
        await owner.close()


async def test_a_recipient_lists_and_manages_the_own_notifications(site: Site) -> None:
    plain, urgent = await site.notified("ada"), await site.notified("ada", importance="danger")
    async with InboxTokens(site.url, site.key) as tokens:
        issued = await tokens.token("ada", 60)
    async with Inbox(site.url, issued.token) as inbox:
        assert [item.id async for item in inbox.items()] == [urgent, plain]
        assert (await inbox.count()).open == 2
        assert (await inbox.dismiss(plain)).dismissed
        assert [item.id async for item in inbox.items("dismissed")] == [plain]
        assert not (await inbox.undismiss(plain)).dismissed


async def test_an_item_is_completed_as_its_action_says_or_at_once(site: Site) -> None:
    linked = await site.notified("bob", to_act=True, action_url=URL)
    asked = await site.notified("bob", to_act=True)
    async with InboxTokens(site.url, site.key) as tokens:
        issued = await tokens.token("bob")
    async with Inbox(site.url, issued.token) as inbox:
        assert await inbox.complete(linked) == ActionUrl(url=URL)
        assert isinstance(await inbox.complete(asked), Confirmation)
        done = await inbox.complete(linked, at_once=True)
        assert isinstance(done, InboxItem)
        assert (done.state, done.completed_by) == ("action_complete", "bob")
        with pytest.raises(RefusedError, match="complete already") as again:
            await inbox.complete(linked, at_once=True)
        assert again.value.status == 409
        with pytest.raises(RefusedError) as missing:
            await inbox.dismiss(uuid.uuid4())
        assert missing.value.is_missing


async def test_the_command_line_does_the_same_for_any_recipient(site: Site) -> None:
    plain = str(await site.notified("eve", name="Lights out"))
    acting = str(await site.notified("eve", to_act=True, action_url=URL))
    listed = await site.run("list", "eve", "--json")
    assert {item["id"] for item in listed.json} == {plain, acting}, listed.err
    assert "Lights out" in (await site.run("list", "eve")).out
    assert (await site.run("dismiss", "eve", plain)).out == f"{plain} dismissed\n"
    assert [item["id"] for item in (await site.run("list", "eve", "--show", "dismissed", "--json")).json] == [plain]
    assert (await site.run("undismiss", "eve", plain)).out == f"{plain} open\n"
    assert (await site.run("complete", "eve", acting)).out == f"complete it at {URL}, or with --at-once\n"
    assert (await site.run("complete", "eve", acting, "--at-once")).out == f"{acting} completed by eve\n"
    refused = await site.run("dismiss", "eve", str(uuid.uuid4()))
    assert refused.code == 4
    assert "Check the id" in refused.err
    assert (await site.run("list", "eve", "--show", "hidden")).code == 2
