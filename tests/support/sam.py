"""A caller of sendNotification: a company with teams, users with roles, and what they present."""

import contextlib
import io
import json
import pathlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.postgres import tenants
from tests.support import directory, door
from tests.support.door import Ingest

PATH = "/rest/notification/send"
EVENT = "ed90fcd2-cbb4-49b8-9be4-a14ccbc2d1e8"
COMPANY = "3"

_USER = "INSERT INTO users (tenant, id, login, email, roles) VALUES ($1, $2, $3, $4, $5)"


@dataclass(frozen=True)
class Answer:
    """A status and the JSON that came with it."""

    status: int
    json: Any
    headers: Mapping[str, str]

    @property
    def fault(self) -> tuple[int, str, str]:
        """Status, the source's name of the error, and the field of the first."""
        return self.status, self.json["exception"], self.json["errors"][0]["field"]


@dataclass
class Caller:
    """Presents a user's token and a company's key to a running ingest."""

    ingest: Ingest
    token: str
    key: str

    async def send(self, content: Any, headers: Mapping[str, str | None] | None = None) -> Answer:
        """POST a body, JSON unless it is text or bytes; a header that is None is left out."""
        raw = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
        own = {"x-nextinteract-authtoken": self.token, "x-nextinteract-company-api-key": self.key, **(headers or {})}
        given = {name: value for name, value in own.items() if value is not None}
        body = io.BytesIO(json.dumps(content).encode() if raw is None else raw)
        async with self.ingest.http.post(self.ingest.running.http + PATH, data=body, headers=given) as response:
            return Answer(response.status, await response.json(content_type=None), response.headers)


async def user(owner: asyncpg.Connection, name: str, *roles: str, tenant: str = door.TENANT) -> None:
    """A user with roles, known by login and e-mail too."""
    await owner.execute(_USER, tenant, name, f"{name}.login", f"{name}@example.test", list(roles))


async def caller(ingest: Ingest, name: str, *roles: str, tenant: str = door.TENANT, company: str = COMPANY) -> Caller:
    """A new user with roles, connected to a company, with its key."""
    await tenants.create_tenant(ingest.owner, tenant, tenant)
    await user(ingest.owner, name, *roles, tenant=tenant)
    await directory.group(ingest.owner, f"company/{company}", [name], company=company, tenant=tenant)
    token = await tenants.create_sam_token(ingest.owner, tenant, name, door.SECRET)
    return Caller(ingest, token, await tenants.create_company_key(ingest.owner, tenant, company, door.SECRET))


async def seed(owner: asyncpg.Connection) -> None:
    """The groups that the source's examples name, with somebody in each."""

    async def group(name: str, *members: str, parent: str | None = None, status: str = "accepted") -> None:
        await directory.group(owner, name, members, company=COMPANY, parent=parent, status=status, tenant=door.TENANT)

    await group(f"event/{EVENT}")
    await group("event_team/456", "ada", "grace", parent=EVENT)
    await group("event_team/459", "grace", "alan", parent=EVENT)
    await group("event_team/459", "invited-only", parent=EVENT, status="invited")
    await group("team/23", "ada", "grace", "hedy")
    await group("team/27", "hedy", "ken")
    await group("smart_library/lib-1")
    await group("smart_library_entry/e1", "ada", parent="lib-1")
    await group("smart_library_entry/e2", "ken", parent="lib-1")
    await group("job_group/j1", "tim")
    await group("job_group/j2", "tim", "ada", "ken")
    await group("asset/4", "ada", "ken")
    await group("asset/5", "ada", "grace", "tim")
    await directory.group(owner, "team/90", ["ada"], company="9", tenant=door.TENANT)
    await directory.group(owner, "event/foreign", company="9", tenant=door.TENANT)
    await directory.group(owner, "smart_library/foreign", company="9", tenant=door.TENANT)
    await owner.execute(_USER, door.TENANT, "aaron", "aaron", "aaron.mcmullen@hypermedia.com.au", [])
    await owner.execute("INSERT INTO tags (tenant, id, name, campaign) VALUES ($1, 12, 'Spring', 'C 7')", door.TENANT)


@contextlib.asynccontextmanager
async def running(kafka_bootstrap: str, postgres_server: str, folder: pathlib.Path) -> AsyncIterator[Caller]:
    """An ingest with the seeded company, and a super user of it."""
    async with door.alone(kafka_bootstrap, postgres_server, folder) as ingest:
        await seed(ingest.owner)
        yield await caller(ingest, "root", "SUPER_USER")
