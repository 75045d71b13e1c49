"""`/v1/groups/{kind}` and the members of each group."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import ValidationError

from services.console import shapes
from services.console.shapes import PathId, not_found
from services.console.store import groups as store
from services.console.store import members as members_store
from services.console.store.members import Member
from shared.contract import field_errors
from shared.contract.directory import GroupKind, MemberStatus
from shared.contract.directory_entries import GroupEntry, GroupFields, GroupId, MemberEntry, MemberFields, MemberKey
from shared.contract.requests import Id
from shared.postgres.audiences import Group
from shared.postgres.pool import Pool, tenant_transaction
from shared.runtime import pages
from shared.runtime.authority import DirectoryKey
from shared.runtime.problems import ProblemError

PathGroup = Annotated[GroupId, Path()]


def _wanted_groups(
    kind: GroupKind,
    company: Annotated[Id | None, Query(description="Only this company's.")] = None,
    parent: Annotated[Id | None, Query(description="Only those of this event or smart library.")] = None,
) -> store.Wanted:
    return store.Wanted(kind, company, parent)


def _wanted_members(
    kind: GroupKind,
    group: PathGroup,
    status: Annotated[MemberStatus | None, Query(description="Only those of this status.")] = None,
) -> members_store.Wanted:
    return members_store.Wanted(kind, group, status)


class Groups:
    """Answers for groups and their members."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of these resources."""
        router = APIRouter(prefix="/v1/groups/{kind}", tags=["groups"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/{group}", self.one, methods=["GET"])
        router.add_api_route("/{group}", self.put, methods=["PUT"])
        router.add_api_route("/{group}", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT)
        router.add_api_route("/{group}/members", self.members, methods=["GET"])
        router.add_api_route("/{group}/members/{user:path}", self.put_member, methods=["PUT"])
        router.add_api_route(
            "/{group}/members/{user:path}", self.delete_member, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT
        )
        return router

    async def all(
        self,
        key: DirectoryKey,
        wanted: Annotated[store.Wanted, Depends(_wanted_groups)],
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[Group]:
        """Groups of a kind in the order of their ids."""
        found = await store.after(self._pool, key.tenant, wanted, shapes.last_id(cursor), limit + 1)
        return pages.page(found, limit, lambda group: [group.id])

    async def one(self, key: DirectoryKey, kind: GroupKind, group: PathGroup) -> Group:
        """One group."""
        return shapes.found(await store.get(self._pool, key.tenant, kind, group), "group")

    async def put(self, key: DirectoryKey, kind: GroupKind, group: PathGroup, fields: GroupFields) -> Group:
        """Make a group, or replace the one there is with every field; its members stay."""
        entry = _entry(kind, group, fields)
        async with tenant_transaction(self._pool, key.tenant) as connection:
            made = await store.put(connection, key.tenant, [entry])
        if not made:
            raise shapes.unprocessable("/parent", "unknown_parent", "there is no such group; make it first")
        return shapes.found(await store.get(self._pool, key.tenant, kind, group), "group")

    async def delete(self, key: DirectoryKey, kind: GroupKind, group: PathGroup) -> None:
        """Delete a group with its memberships; an event or smart library with its teams or entries."""
        shapes.found(await store.get(self._pool, key.tenant, kind, group), "group")
        await store.empty(self._pool, key.tenant, kind, group)
        async with tenant_transaction(self._pool, key.tenant) as connection:
            if not await store.delete(connection, key.tenant, kind, group):
                raise not_found("group")

    async def members(
        self,
        key: DirectoryKey,
        wanted: Annotated[members_store.Wanted, Depends(_wanted_members)],
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[Member]:
        """Members of a group in the order of their ids."""
        found = await members_store.after(self._pool, key.tenant, wanted, shapes.last_id(cursor), limit + 1)
        if not found:
            shapes.found(await store.get(self._pool, key.tenant, wanted.kind, wanted.group), "group")
        return pages.page(found, limit, lambda member: [member.user])

    async def put_member(
        self, key: DirectoryKey, kind: GroupKind, group: PathGroup, user: PathId, fields: MemberFields
    ) -> Member:
        """Take a user into a group, or give a member another status."""
        entry = MemberEntry(kind=kind, group=group, user=user, status=fields.status)
        async with tenant_transaction(self._pool, key.tenant) as connection:
            for known in (await members_store.unknown(connection, key.tenant, [entry])).values():
                raise not_found("user" if known.is_group else "group")
            await members_store.put(connection, key.tenant, [entry])
        return Member(user, fields.status)

    async def delete_member(self, key: DirectoryKey, kind: GroupKind, group: PathGroup, user: PathId) -> None:
        """Take a user out of a group."""
        async with tenant_transaction(self._pool, key.tenant) as connection:
            if not await members_store.delete(connection, key.tenant, [MemberKey(kind=kind, group=group, user=user)]):
                raise not_found("member")


def _entry(kind: GroupKind, group: str, fields: GroupFields) -> GroupEntry:
    try:
        return GroupEntry(kind=kind, id=group, **fields.model_dump())
    except ValidationError as error:
        found = field_errors.from_pydantic(error.errors(include_url=False, include_input=False))
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "the group is not valid; see errors", found) from error
