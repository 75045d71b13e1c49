"""An inbox served over real HTTP and PostgreSQL, its Kafka away; tests are kept apart by tenants, as callers are."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.inbox import api as inbox_api
from services.inbox.actions import Actions
from services.inbox.metrics import Metrics
from services.inbox.relay import Relay
from services.inbox.tokens import Tokens
from shared.clock import SystemClock
from shared.postgres.api_keys import ApiKeys
from shared.postgres.pool import open_pool
from shared.runtime.secret_file import SecretFile
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import api, databases, rows, unsubscribing
from tests.support.api import Answer, Client

NOWHERE = KafkaSettings(kafka_bootstrap="127.0.0.1:9")


@dataclass
class Site:
    """One inbox service, and the owner of its database."""

    client: Client
    owner: asyncpg.Connection


@dataclass
class Inbox:
    """The inbox of one tenant, made for one test."""

    client: Client
    owner: asyncpg.Connection
    tenant: str
    admin: dict[str, str]

    async def token(self, recipient: str) -> dict[str, str]:
        answer = await self.client.ask("POST", "/v1/inbox/tokens", self.admin, json={"recipient": recipient})
        return {"Authorization": f"Bearer {answer.json['token']}"}

    async def ask(self, method: str, path: str, recipient: str = "ada") -> Answer:
        return await self.client.ask(method, f"/v1/inbox{path}", await self.token(recipient))

    async def act(self, notification: dict[str, Any], action: str, recipient: str = "ada") -> Answer:
        return await self.ask("POST", f"/{notification['id']}/{action}", recipient)

    async def listed(self, query: str = "", recipient: str = "ada") -> list[Any]:
        answer = await self.ask("GET", query, recipient)
        assert answer.status == 200
        return [item["id"] for item in answer.json["items"]]

    async def notify(self, *recipients: str, hidden: bool = False, **values: Any) -> dict[str, Any]:
        made = await rows.notification(self.owner, tenant=self.tenant, **values)
        for recipient in recipients or ("ada",):
            await rows.item(self.owner, made, recipient, hidden=hidden)
        return made

    async def ask_to_act(self, *recipients: str, **values: Any) -> dict[str, Any]:
        made = await rows.open_action(self.owner, tenant=self.tenant, **values)
        for recipient in recipients or ("ada",):
            await rows.item(self.owner, made, recipient)
        return made


@asynccontextmanager
async def serving(server: str, folder: Path) -> AsyncIterator[Site]:
    """An inbox on a database of its own."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(databases.cloned(server))
        settings = PostgresSettings(postgres_dsn=SecretStr(database.dsn("inbox")))
        pool = await stack.enter_async_context(open_pool(settings, "test"))
        secret = SecretFile(api.secret_file(folder))
        metrics = Metrics(CollectorRegistry())
        parts = inbox_api.Parts(
            pool, ApiKeys(pool, secret).opened_by, Tokens(secret, SystemClock()),
            Actions(pool, Relay(pool, NOWHERE, metrics), metrics), unsubscribing.links(), metrics,
            inbox_api.Limits(3_600, unsubscribing.PUBLIC_URL),
        )  # fmt: skip
        owner = await rows.owner(database.owner)
        stack.push_async_callback(owner.close)
        yield Site(await stack.enter_async_context(api.serving(inbox_api.build(parts))), owner)


async def inbox(site: Site) -> Inbox:
    """The inbox of a new tenant."""
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    return Inbox(site.client, site.owner, tenant, await api.key(site.owner, tenant))
