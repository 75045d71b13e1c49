"""`groups`: what an audience names, each with its kind, company and, for some kinds, parent."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.console.store import statements
from shared.contract.directory import PARENT_KINDS, GroupKind
from shared.contract.directory_entries import GroupEntry
from shared.postgres.audiences import Group, group, group_of
from shared.postgres.pool import Connection, Pool, tenant_transaction

_MEMBERS_AT_ONCE = 10_000
_PARTS_AT_ONCE = 1_000
"""What one transaction takes away: it has a time limit, which a million members at once would pass."""

_PUT = """
INSERT INTO groups (tenant, kind, id, name, company, parent)
SELECT $1, put.kind, put.id, put.name, put.company, put.parent
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
  AS put (kind, id, name, company, parent, parent_kind)
WHERE $8 OR put.parent IS NULL OR EXISTS (
  SELECT FROM groups above WHERE above.tenant = $1 AND above.kind = put.parent_kind AND above.id = put.parent)
ORDER BY put.kind, put.id
ON CONFLICT (tenant, kind, id) DO UPDATE SET name = excluded.name, company = excluded.company,
  parent = excluded.parent, changed_at = clock_timestamp()
RETURNING kind, id
"""


async def put(
    connection: Connection, tenant: str, groups: Sequence[GroupEntry], *, orphans: bool = False
) -> set[tuple[str, str]]:
    """Make groups, or replace those there are, each (kind, id) once; those that were put.

    Left out are groups whose parent is not there; with `orphans` they are put all the same.
    """
    made: set[tuple[str, str]] = set()
    for has_parent in (False, True):
        rows = [
            (each.kind, each.id, each.name, each.company, each.parent, PARENT_KINDS.get(each.kind))
            for each in groups
            if (each.parent is not None) is has_parent
        ]
        if rows:
            found = await connection.fetch(_PUT, tenant, *zip(*rows, strict=True), orphans)
            made |= {(row["kind"], row["id"]) for row in found}
    return made


async def get(pool: Pool, tenant: str, kind: GroupKind, group_id: str) -> Group | None:
    """One group."""
    async with tenant_transaction(pool, tenant) as connection:
        return await group(connection, tenant, kind, group_id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups of a kind: all, or those of a company or a parent."""

    kind: GroupKind
    company: str | None
    parent: str | None


_LIST = """
SELECT kind, id, name, company, parent FROM groups
WHERE tenant = $1 AND kind = $2 AND ($3::text IS NULL OR company = $3) AND ($4::text IS NULL OR parent = $4)
  AND ($5::text IS NULL OR id > $5)
ORDER BY id LIMIT $6
"""


async def after(pool: Pool, tenant: str, wanted: Wanted, last: str | None, most: int) -> list[Group]:
    """Groups in the order of their ids, behind `last`."""
    rows = await statements.rows(pool, tenant, _LIST, wanted.kind, wanted.company, wanted.parent, last, most)
    return [group_of(row) for row in rows]


_PARTS = """
SELECT kind, id FROM groups
WHERE tenant = $1 AND ((kind = $2 AND id = $4) OR (kind = $3 AND parent = $4))
"""
_EMPTY = """
DELETE FROM group_members WHERE tenant = $1 AND kind = $2 AND group_id = $3 AND user_id = ANY (ARRAY(
  SELECT user_id FROM group_members WHERE tenant = $1 AND kind = $2 AND group_id = $3 LIMIT $4))
"""  # an array, since a join compares each with each while the table is not analysed: two minutes for 15,000
_DELETE = "DELETE FROM groups WHERE tenant = $1 AND kind = $2 AND id = ANY ($3::text[])"


async def empty(pool: Pool, tenant: str, kind: GroupKind, group_id: str) -> None:
    """Take from a group what `delete` takes, but itself, in transactions of a bounded number of rows each.

    It comes before `delete`, whose one transaction has a time limit, and may be repeated.
    """
    async with tenant_transaction(pool, tenant) as connection:
        parts = await _parts(connection, tenant, kind, group_id)
    while parts:
        async with tenant_transaction(pool, tenant) as connection:
            emptied = await _emptied(connection, tenant, parts[:_PARTS_AT_ONCE])
            if below := [part.id for part in parts[:emptied] if part.kind is not kind]:
                await connection.execute(_DELETE, tenant, _kind_below(kind), below)
        parts = parts[emptied:]


async def delete(connection: Connection, tenant: str, kind: GroupKind, group_id: str) -> bool:
    """Delete a group with its members, and an event or library with its teams or entries; False when there is none."""
    parts = await _parts(connection, tenant, kind, group_id)
    for part in parts:
        await connection.execute(_EMPTY, tenant, part.kind, part.id, None)
        await connection.execute(_DELETE, tenant, part.kind, [part.id])
    return any(part.kind is kind for part in parts)


@dataclass(frozen=True, slots=True)
class _Part:
    """A group that goes with the one that is deleted, or that one."""

    kind: GroupKind
    id: str


async def _parts(connection: Connection, tenant: str, kind: GroupKind, group_id: str) -> list[_Part]:
    rows = await connection.fetch(_PARTS, tenant, kind, _kind_below(kind), group_id)
    return [_Part(GroupKind(row["kind"]), row["id"]) for row in rows]


def _kind_below(kind: GroupKind) -> GroupKind | None:
    return next((child for child, above in PARENT_KINDS.items() if above is kind), None)


async def _emptied(connection: Connection, tenant: str, parts: Sequence[_Part]) -> int:
    """How many of these are without members now, from the first on."""
    room = _MEMBERS_AT_ONCE
    for number, part in enumerate(parts):
        deleted = await connection.execute(_EMPTY, tenant, part.kind, part.id, room)
        room -= int(deleted.removeprefix("DELETE "))
        if room == 0:
            return number
    return len(parts)
