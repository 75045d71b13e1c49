"""Audiences as the directory resolves them: asked at the door of a dialect, walked by intake and fan-out.

Every function runs within the caller's transaction; a role that row-level security confines to a tenant uses
`pool.tenant_transaction`.
"""

from dataclasses import dataclass

import asyncpg

from shared.contract.directory import GroupKind
from shared.contract.messages import Audience
from shared.postgres.pool import Connection

_GROUPS_AT_ONCE = 25


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the directory; `parent` is the event of an event team, the smart library of an entry."""

    kind: GroupKind
    id: str
    name: str
    company: str
    parent: str | None


_GROUP = "SELECT kind, id, name, company, parent FROM groups WHERE tenant = $1 AND kind = $2 AND id = $3"


async def group(connection: Connection, tenant: str, kind: GroupKind, group_id: str) -> Group | None:
    """One group, or None when the tenant has none of this kind and id."""
    row = await connection.fetchrow(_GROUP, tenant, kind, group_id)
    return None if row is None else group_of(row)


def group_of(row: asyncpg.Record) -> Group:
    """The group that a row of kind, id, name, company and parent holds."""
    return Group(GroupKind(row["kind"]), row["id"], row["name"], row["company"], row["parent"])


_COMPANIES = """
SELECT group_id FROM group_members
WHERE tenant = $1 AND user_id = $2 AND kind = 'company' AND status = 'accepted' ORDER BY group_id
"""


async def companies_of(connection: Connection, tenant: str, user: str) -> list[str]:
    """The ids of the companies a user belongs to: groups of kind company with the user as accepted member."""
    return [row["group_id"] for row in await connection.fetch(_COMPANIES, tenant, user)]


_UNKNOWN = """
SELECT asked.id FROM unnest($5::text[]) WITH ORDINALITY AS asked (id, place)
WHERE NOT EXISTS (
  SELECT FROM groups WHERE tenant = $1 AND kind = $2 AND groups.id = asked.id
    AND ($3::text IS NULL OR company = $3) AND ($4::text IS NULL OR parent = $4))
ORDER BY asked.place
"""


async def unknown(connection: Connection, tenant: str, audience: Audience) -> list[str]:
    """Those of the audience's ids that name no group of its kind within its company and parent, in their order."""
    if not audience.ids:
        return []
    return [row["id"] for row in await connection.fetch(_UNKNOWN, *_asked(tenant, audience))]


_COUNT = """
SELECT count(DISTINCT member.user_id)
FROM groups JOIN group_members member
  ON member.tenant = groups.tenant AND member.kind = groups.kind AND member.group_id = groups.id
WHERE groups.tenant = $1 AND groups.kind = $2 AND ($3::text IS NULL OR company = $3)
  AND ($4::text IS NULL OR parent = $4) AND ($5::text[] IS NULL OR groups.id = ANY ($5)) AND status = 'accepted'
"""


async def count(connection: Connection, tenant: str, audience: Audience) -> int:
    """How many users the audience reaches, each counted once."""
    found: int = await connection.fetchval(_COUNT, *_asked(tenant, audience))
    return found


# Ordered, each group is a range of the index: it costs the same however large the directory.
_ABOUT = """
SELECT count(*) FROM (
  SELECT FROM (
    SELECT id FROM groups
    WHERE tenant = $1 AND kind = $2 AND ($3::text IS NULL OR company = $3) AND ($4::text IS NULL OR parent = $4)
      AND ($5::text[] IS NULL OR id = ANY ($5)) LIMIT $6) AS found
  CROSS JOIN LATERAL (
    SELECT FROM group_members
    WHERE tenant = $1 AND kind = $2 AND group_id = found.id AND status = 'accepted'
    ORDER BY user_id LIMIT $6) AS member
  LIMIT $6) AS reached
"""


async def about(connection: Connection, tenant: str, audience: Audience, most: int) -> int:
    """About how many users the audience reaches, at most `most`: who is a member of several groups counts with each."""
    found: int = await connection.fetchval(_ABOUT, *_asked(tenant, audience), most)
    return found


@dataclass(frozen=True, slots=True)
class Position:
    """How far an audience was walked: up to a member of a group, or to the end of the group where `member` is None."""

    group: str = ""
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of an audience: `members` in the order of group and id, and whether the walk ended with it.

    A member of several groups may come once with each; `position` is where the next piece begins.
    """

    members: list[str]
    position: Position
    ended: bool


_NEXT_GROUPS = """
SELECT id FROM groups
WHERE tenant = $1 AND kind = $2 AND ($3::text IS NULL OR company = $3) AND ($4::text IS NULL OR parent = $4)
  AND ($5::text[] IS NULL OR id = ANY ($5)) AND id >= $6 AND (id <> $6 OR $7)
ORDER BY id LIMIT $8
"""

# Each group is a range of the index that begins behind the position: a piece costs the same wherever it lies.
_NEXT_MEMBERS = """
SELECT walked.id AS group_id, member.user_id
FROM unnest($3::text[]) AS walked (id) CROSS JOIN LATERAL (
  SELECT user_id FROM group_members
  WHERE tenant = $1 AND kind = $2 AND group_id = walked.id AND status = 'accepted'
    AND user_id > CASE WHEN walked.id = $4 THEN $5 ELSE '' END
  ORDER BY user_id LIMIT $6) AS member
ORDER BY walked.id, member.user_id LIMIT $6
"""


async def step(connection: Connection, tenant: str, audience: Audience, begin: Position, most: int) -> Step:
    """The next piece of an audience, at most `most` members; `Position()` is the beginning.

    It may hold fewer, even none, before the walk ends: a piece looks at a bounded number of groups.
    """
    within = begin.member is not None
    groups = await connection.fetch(_NEXT_GROUPS, *_asked(tenant, audience), begin.group, within, _GROUPS_AT_ONCE)
    ids = [row["id"] for row in groups]
    rows = await connection.fetch(_NEXT_MEMBERS, tenant, audience.kind, ids, begin.group, begin.member or "", most)
    members = list(dict.fromkeys(row["user_id"] for row in rows))
    if len(rows) == most:
        return Step(members, Position(rows[-1]["group_id"], rows[-1]["user_id"]), ended=False)
    position = Position(ids[-1]) if ids else begin
    return Step(members, position, ended=len(ids) < _GROUPS_AT_ONCE)


def _asked(tenant: str, audience: Audience) -> tuple[str, str, str | None, str | None, list[str] | None]:
    return tenant, audience.kind, audience.company, audience.parent, list(audience.ids) or None
