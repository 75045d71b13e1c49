"""`group_members`: who belongs to a group, and how."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.console.store import statements
from shared.contract.directory import GroupKind, MemberStatus
from shared.contract.directory_entries import MemberEntry, MemberKey
from shared.postgres.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class Member:
    """A user within a group."""

    user: str
    status: str


_UNKNOWN = """
SELECT asked.kind, asked.group_id, asked.user_id, known.is_group, known.is_user
FROM unnest($2::text[], $3::text[], $4::text[]) AS asked (kind, group_id, user_id)
CROSS JOIN LATERAL (SELECT
  EXISTS (SELECT FROM groups WHERE tenant = $1 AND kind = asked.kind AND id = asked.group_id) AS is_group,
  EXISTS (SELECT FROM users WHERE tenant = $1 AND id = asked.user_id) AS is_user) AS known
WHERE NOT (known.is_group AND known.is_user)
"""


@dataclass(frozen=True, slots=True)
class Known:
    """Whether a membership's group and user are there."""

    is_group: bool
    is_user: bool


Key = tuple[str, str, str]
"""Kind, group and user."""


async def unknown(connection: Connection, tenant: str, members: Sequence[MemberEntry]) -> dict[Key, Known]:
    """Those of these memberships whose group or user is not there."""
    keys = zip(*((each.kind, each.group, each.user) for each in members), strict=True)
    rows = await connection.fetch(_UNKNOWN, tenant, *keys)
    return {(row["kind"], row["group_id"], row["user_id"]): Known(row["is_group"], row["is_user"]) for row in rows}


_PUT = """
INSERT INTO group_members (tenant, kind, group_id, user_id, status)
SELECT $1, put.kind, put.group_id, put.user_id, put.status
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS put (kind, group_id, user_id, status)
ORDER BY put.kind, put.group_id, put.user_id
ON CONFLICT (tenant, kind, group_id, user_id) DO UPDATE SET status = excluded.status, changed_at = clock_timestamp()
"""


async def put(connection: Connection, tenant: str, members: Sequence[MemberEntry]) -> None:
    """Make memberships, or give those there are their status; each once, whether or not group and user are there."""
    if members:
        rows = ((each.kind, each.group, each.user, each.status) for each in members)
        await connection.execute(_PUT, tenant, *zip(*rows, strict=True))


_LIST = """
SELECT user_id, status FROM group_members
WHERE tenant = $1 AND kind = $2 AND group_id = $3 AND ($4::text IS NULL OR status = $4)
  AND ($5::text IS NULL OR user_id > $5)
ORDER BY user_id LIMIT $6
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which members: those of a group, of one status or of any."""

    kind: GroupKind
    group: str
    status: MemberStatus | None


async def after(pool: Pool, tenant: str, wanted: Wanted, last: str | None, most: int) -> list[Member]:
    """Members in the order of their ids, behind `last`."""
    rows = await statements.rows(pool, tenant, _LIST, wanted.kind, wanted.group, wanted.status, last, most)
    return [Member(*row.values()) for row in rows]


_DELETE = """
DELETE FROM group_members USING unnest($2::text[], $3::text[], $4::text[]) AS gone (kind, group_id, user_id)
WHERE tenant = $1 AND group_members.kind = gone.kind AND group_members.group_id = gone.group_id
  AND group_members.user_id = gone.user_id
RETURNING group_members.user_id
"""


async def delete(connection: Connection, tenant: str, members: Sequence[MemberKey]) -> int:
    """Take users out of groups; how many were members."""
    if not members:
        return 0
    keys = zip(*((each.kind, each.group, each.user) for each in members), strict=True)
    return len(await connection.fetch(_DELETE, tenant, *keys))
