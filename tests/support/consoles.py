"""A console on real PostgreSQL, asked over HTTP by the admin of a tenant of one test's own."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.console import api as console_api
from services.console.metrics import Metrics
from shared.destinations import policy
from shared.postgres.pool import open_pool
from shared.runtime.secret_file import SecretFile
from shared.runtime.settings import PostgresSettings
from tests.support import api, databases, rows
from tests.support.api import Answer, Client

HOOK = "http://127.0.0.1:9/hook"


@dataclass
class Site:
    """One console for a whole module: tests are kept apart by tenants, as callers are."""

    client: Client
    owner: asyncpg.Connection


@dataclass
class Console:
    """The console as the admin of one tenant."""

    client: Client
    owner: asyncpg.Connection
    tenant: str
    admin: dict[str, str]

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """A request with the admin's key."""
        return await self.client.ask(method, path, self.admin, **options)

    async def user(self, name: str = "ada", **fields: Any) -> None:
        """Make a user."""
        assert (await self.ask("PUT", f"/v1/users/{name}", json=fields)).status == 200

    async def endpoint(self, recipient: str = "ada") -> dict[str, Any]:
        """Make a webhook of a user."""
        body = {"recipient": recipient, "channel": "push", "kind": "webhook", "address": HOOK}
        answer = await self.ask("POST", "/v1/endpoints", json=body)
        assert answer.status == 201
        made: dict[str, Any] = answer.json
        return made


@contextlib.asynccontextmanager
async def running(postgres_server: str, folder: Path) -> AsyncIterator[Site]:
    """A console on a database of its own; webhooks may be on this machine."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(databases.cloned(postgres_server))
        settings = PostgresSettings(postgres_dsn=SecretStr(database.dsn("console")))
        pool = await stack.enter_async_context(open_pool(settings, "test"))
        secret = SecretFile(api.secret_file(folder))
        parts = console_api.Parts(pool, secret, policy("127.0.0.1"), Metrics(CollectorRegistry()))
        owner = await rows.owner(database.owner)
        stack.push_async_callback(owner.close)
        yield Site(await stack.enter_async_context(api.serving(console_api.build(parts))), owner)


async def of_new_tenant(site: Site) -> Console:
    """The console as the admin of a new tenant."""
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    return Console(site.client, site.owner, tenant, await api.key(site.owner, tenant))
