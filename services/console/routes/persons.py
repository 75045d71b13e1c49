"""`/v1/users/{id}/export` and `/v1/users/{id}/erasure`: everything about one person, told or taken away (X14)."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.console import changes, shapes
from services.console.erasure import Erasing, Report
from services.console.shapes import PathId
from services.console.store import erasures, person_export
from shared.postgres.pool import Pool, tenant_transaction
from shared.runtime.authority import AdminKey

_MEDIA_TYPE = "application/x-ndjson"
_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": 'Lines `{"table": …, "row": {…}}`, the last one `{"complete": true, "rows": N}`.',
        "content": {_MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
_HEADERS = {"content-disposition": 'attachment; filename="person.ndjson"', "x-content-type-options": "nosniff"}


class Persons:
    """Answers about persons, whether or not the directory still knows them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/users", tags=["persons"])
        router.add_api_route(
            "/{user:path}/export", self.export, methods=["GET"], response_class=StreamingResponse, responses=_LINES
        )
        router.add_api_route("/{user:path}/erasure", self.erase, methods=["POST"])
        return router

    async def export(self, key: AdminKey, user: PathId) -> StreamingResponse:
        """Everything the record holds about a person, a row a line, without secrets and without other recipients.

        Without the last line the export was cut off: ask again.
        """
        async with tenant_transaction(self._pool, key.tenant) as connection:
            names = await erasures.names(connection, key.tenant, changes.subject_of_user(user), user)
        lines = _lines(person_export.rows(self._pool, key.tenant, user, names))
        first = shapes.found(await anext(lines, None), "person")
        return StreamingResponse(_all(first, lines), media_type=_MEDIA_TYPE, headers=_HEADERS)

    async def erase(self, key: AdminKey, user: PathId) -> Report:
        """Erase everything about a person, and say what stays and why.

        While `complete` is false something is being sent, or there was more than one request does: ask again, it goes
        on. Once it is complete, asking again changes nothing.
        """
        return shapes.found(await Erasing(self._pool, key.tenant, user).run(), "person")


async def _lines(rows: AsyncIterator[tuple[str, Any]]) -> AsyncIterator[bytes]:
    count = 0
    async for table, row in rows:
        count += 1
        # asyncpg's UUIDs are a kind of their own
        yield orjson.dumps({"table": table, "row": row}, default=str, option=orjson.OPT_APPEND_NEWLINE)
    if count:
        yield orjson.dumps({"complete": True, "rows": count}, option=orjson.OPT_APPEND_NEWLINE)


async def _all(first: bytes, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in lines:
        yield line
