"""Groups and members as a tenant's directory holds them, for tests."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import asyncpg

from tests.support import rows
from tests.support.rows import TENANT

_GROUP = """
INSERT INTO groups (tenant, kind, id, company, parent) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_MEMBERS = """
INSERT INTO group_members (tenant, kind, group_id, user_id, status)
SELECT $1, $2, $3, member, $5 FROM unnest($4::text[]) AS member
"""
_MANY = """
INSERT INTO group_members (tenant, kind, group_id, user_id, status)
SELECT $1, 'team', $2, 'u' || number, 'accepted' FROM generate_series(0, $3::integer - 1) AS number
"""
_KEEP = "SELECT FROM groups WHERE tenant = $1 AND kind = $2 AND id = $3 FOR UPDATE"
_LEFT = """
SELECT (SELECT count(*) FROM groups WHERE tenant = $1) + (SELECT count(*) FROM group_members WHERE tenant = $1)
"""


async def group(
    connection: asyncpg.Connection,
    name: str,
    members: Iterable[str] = (),
    *,
    company: str = "3",
    parent: str | None = None,
    status: str = "accepted",
    tenant: str = TENANT,
) -> None:
    """A group named `kind/id`, if it is new, and more members of one status."""
    kind, _, group_id = name.partition("/")
    await rows.tenant(connection, tenant)
    await connection.execute(_GROUP, tenant, kind, group_id, company, parent)
    await connection.execute(_MEMBERS, tenant, kind, group_id, list(members), status)


async def team_of(connection: asyncpg.Connection, team: str, count: int, tenant: str = TENANT) -> None:
    """A team of company 3 with the members `u0…`."""
    await group(connection, f"team/{team}", tenant=tenant)
    await connection.execute(_MANY, tenant, team, count)


@dataclass(frozen=True, slots=True)
class Left:
    """What others committed to a tenant's directory while one of its groups is kept."""

    connection: asyncpg.Connection
    tenant: str

    async def nothing_else(self) -> bool:
        """Whether there is no member any more, and no group but the one that is kept."""
        found: int = await self.connection.fetchval(_LEFT, self.tenant)
        return found == 1


@contextlib.asynccontextmanager
async def kept(connection: asyncpg.Connection, name: str, tenant: str = TENANT) -> AsyncIterator[Left]:
    """Meanwhile nobody can delete the group named `kind/id`: who tries waits."""
    kind, _, group_id = name.partition("/")
    async with connection.transaction():
        await connection.execute(_KEEP, tenant, kind, group_id)
        yield Left(connection, tenant)
