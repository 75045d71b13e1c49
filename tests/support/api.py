"""A service's HTTP application served on a real socket, and what callers of it do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from fastapi import FastAPI

from shared.access import Scope
from shared.postgres import tenants
from shared.runtime import web
from shared.runtime.settings import HttpSettings

SECRET = b"the secret under which keys are stored"


def secret_file(folder: Path) -> Path:
    """A file that holds the secret of the API keys."""
    path = folder / "api-key-secret"
    path.write_bytes(SECRET)
    return path


async def key(owner: asyncpg.Connection, tenant: str, scopes: Sequence[Scope | str] = (Scope.ADMIN,)) -> dict[str, str]:
    """The headers of a caller with a key of a tenant, which is made where there is none."""
    await tenants.create_tenant(owner, tenant, tenant)
    return {"Authorization": f"Bearer {await tenants.create_key(owner, tenant, 'test', scopes, SECRET)}"}


@dataclass(frozen=True)
class Answer:
    """A status, the headers, and the JSON that came with them (None where none came), or whatever else in `body`."""

    status: int
    json: Any
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Client:
    """Asks one application."""

    base: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Answer:
        """One request, redirects not followed."""
        async with self.session.request(
            method, self.base + path, headers=headers, allow_redirects=False, **options
        ) as response:
            body = await response.read()
            is_json = body and response.content_type.endswith("json") and "ndjson" not in response.content_type
            value = await response.json(content_type=None) if is_json else None
            return Answer(response.status, value, {name.lower(): text for name, text in response.headers.items()}, body)


@contextlib.asynccontextmanager
async def serving(app: FastAPI, **bounds: float) -> AsyncIterator[Client]:
    """The application on a port of its own; `bounds` as `web.serve` takes them."""
    stop = asyncio.Event()
    with contextlib.closing(web.bound_socket(HttpSettings())) as listening:
        task = asyncio.create_task(web.serve(app, listening, stop, **bounds))
        async with aiohttp.ClientSession() as session:
            yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}", session)
        stop.set()
        await task
