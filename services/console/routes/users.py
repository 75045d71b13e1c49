"""`/v1/users`."""

from http import HTTPStatus

from fastapi import APIRouter

from services.console import shapes
from services.console.shapes import PathId, not_found, unprocessable
from services.console.store import users as store
from services.console.store.users import User
from shared.contract.directory_entries import UserEntry, UserFields
from shared.postgres.pool import Pool, tenant_transaction
from shared.runtime import pages
from shared.runtime.authority import DirectoryKey


class Users:
    """Answers for users."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(tags=["users"])
        router.add_api_route("/v1/users", self.all, methods=["GET"])
        router.add_api_route("/v1/users/{user:path}", self.one, methods=["GET"])
        router.add_api_route("/v1/users/{user:path}", self.put, methods=["PUT"])
        router.add_api_route(
            "/v1/users/{user:path}", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT
        )
        return router

    async def all(self, key: DirectoryKey, cursor: pages.Cursor = None, limit: pages.Limit = 50) -> pages.Page[User]:
        """Users in the order of their ids."""
        found = await store.after(self._pool, key.tenant, shapes.last_id(cursor), limit + 1)
        return pages.page(found, limit, lambda user: [user.id])

    async def one(self, key: DirectoryKey, user: PathId) -> User:
        """One user."""
        return shapes.found(await store.get(self._pool, key.tenant, user), "user")

    async def put(self, key: DirectoryKey, user: PathId, fields: UserFields) -> User:
        """Make a user, or replace the one there is with every field."""
        if fields.id not in (None, user):
            raise unprocessable("/id", "mismatch", "the id in the body is not the one in the address")
        entry = UserEntry.model_validate({**dict(fields), "id": user})
        async with tenant_transaction(self._pool, key.tenant) as connection:
            await store.put(connection, key.tenant, [entry])
        return User(**dict(entry))

    async def delete(self, key: DirectoryKey, user: PathId) -> None:
        """Delete a user with the user's endpoints, memberships and sendNotification tokens."""
        async with tenant_transaction(self._pool, key.tenant) as connection:
            if not await store.delete(connection, key.tenant, [user]):
                raise not_found("user")
