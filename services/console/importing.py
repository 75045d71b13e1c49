"""Lines of files taken into the directory, a batch in a transaction; a line is taken in whole or not at all."""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from services.console.files import FileLine
from services.console.store import groups, members, users
from services.console.store.members import Known
from shared.contract.directory_entries import GroupEntry, MemberEntry, UserEntry
from shared.contract.messages import FieldError
from shared.postgres.pool import Connection, Pool, tenant_transaction

_NO_PARENT = FieldError(
    pointer="/parent", code="unknown_parent", detail="there is no such group; put it before, or in a line above"
)
_NO_GROUP = FieldError(pointer="/group", code="unknown_group", detail="there is no such group; import groups first")
_NO_USER = FieldError(pointer="/user", code="unknown_user", detail="there is no such user; import users first")


async def taken_in(pool: Pool, tenant: str, batch: Sequence[FileLine]) -> list[FileLine]:
    """Take lines of one content in, in one transaction; the lines as they ended, refused ones with their errors.

    Of lines about the same thing the last counts.

    Raises:
        TransientError: PostgreSQL is away; nothing of the batch was taken in.
    """
    async with tenant_transaction(pool, tenant) as connection:
        await users.put(connection, tenant, _newest(batch, UserEntry))
        refused = await _put_groups(connection, tenant, _newest(batch, GroupEntry))
        refused |= await _put_members(connection, tenant, _newest(batch, MemberEntry))
    return [_refused(line, refused) for line in batch]


E = TypeVar("E", UserEntry, GroupEntry, MemberEntry)

Subject = tuple[str, ...]
"""What a line is about."""

Refusals = dict[Subject, tuple[FieldError, ...]]


def _subject(entry: UserEntry | GroupEntry | MemberEntry) -> Subject:
    if isinstance(entry, UserEntry):
        return (entry.id,)
    if isinstance(entry, GroupEntry):
        return (entry.kind, entry.id)
    return (entry.kind, entry.group, entry.user)


def _newest(batch: Sequence[FileLine], kind: type[E]) -> list[E]:
    found = {_subject(line.entry): line.entry for line in batch if isinstance(line.entry, kind)}
    return list(found.values())


async def _put_groups(connection: Connection, tenant: str, entries: Sequence[GroupEntry]) -> Refusals:
    made = await groups.put(connection, tenant, entries)
    return {_subject(entry): (_NO_PARENT,) for entry in entries if (entry.kind, entry.id) not in made}


async def _put_members(connection: Connection, tenant: str, entries: Sequence[MemberEntry]) -> Refusals:
    if not entries:
        return {}
    unknown = await members.unknown(connection, tenant, entries)
    await members.put(connection, tenant, [entry for entry in entries if _subject(entry) not in unknown])
    return {subject: _why(known) for subject, known in unknown.items()}


def _why(known: Known) -> tuple[FieldError, ...]:
    return (*(() if known.is_group else (_NO_GROUP,)), *(() if known.is_user else (_NO_USER,)))


def _refused(line: FileLine, refused: Refusals) -> FileLine:
    if line.entry is None or (errors := refused.get(_subject(line.entry))) is None:
        return line
    return dataclasses.replace(line, entry=None, errors=errors)
