"""`/v1/users` and `/v1/directory/import`."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Body, Header
from pydantic import BaseModel

from services.console import directory, shapes
from services.console.directory import FileLine, UserFields
from services.console.metrics import Metrics
from services.console.shapes import PathId, not_found, unprocessable
from services.console.store import users as store
from services.console.store.users import User
from shared.contract.messages import FieldError
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import DirectoryKey
from shared.runtime.problems import ProblemError

IMPORT_PATH = "/v1/directory/import"
MAX_IMPORT_BYTES = 16 * 1024 * 1024
_LINES_AT_ONCE = 500
_LISTED_LINES = 1_000


class WrongLine(BaseModel):
    """A line of a file that was not imported, and why."""

    line: int
    errors: Sequence[FieldError]


class ImportAnswer(BaseModel):
    """How a file was taken: `errors` lists the first thousand of the `failed` lines."""

    imported: int
    failed: int
    errors: list[WrongLine]


class Users:
    """Answers for users."""

    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        self._pool = pool
        self._metrics = metrics

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(tags=["users"])
        router.add_api_route("/v1/users", self.all, methods=["GET"])
        router.add_api_route("/v1/users/{user:path}", self.one, methods=["GET"])
        router.add_api_route("/v1/users/{user:path}", self.put, methods=["PUT"])
        router.add_api_route(
            "/v1/users/{user:path}", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT
        )
        router.add_api_route(IMPORT_PATH, self.take_in, methods=["POST"])
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
        made = fields.user(user)
        await store.put(self._pool, key.tenant, [made])
        return made

    async def delete(self, key: DirectoryKey, user: PathId) -> None:
        """Delete a user with the user's endpoints."""
        if not await store.delete(self._pool, key.tenant, user):
            raise not_found("user")

    async def take_in(
        self,
        key: DirectoryKey,
        body: Annotated[bytes, Body(media_type="application/x-ndjson")],
        content_type: Annotated[str, Header()] = "application/x-ndjson",
    ) -> ImportAnswer:
        """Make or replace users from NDJSON or CSV, one a line; a wrong line is told and does not stop the others."""
        lines = _lines(body, content_type)
        answer = ImportAnswer(imported=0, failed=0, errors=[])
        while batch := list(islice(lines, _LINES_AT_ONCE)):
            users = {line.user.id: line.user for line in batch if line.user is not None}
            if users:
                await store.put(self._pool, key.tenant, list(users.values()))
            wrong = [WrongLine(line=line.number, errors=line.errors) for line in batch if line.user is None]
            answer.imported += len(batch) - len(wrong)
            answer.failed += len(wrong)
            self._metrics.imported.inc(len(batch) - len(wrong))
            answer.errors += wrong[: _LISTED_LINES - len(answer.errors)]
        return answer


def _lines(body: bytes, content_type: str) -> Iterator[FileLine]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unprocessable("", "not_utf8", f"the file is not UTF-8 at byte {error.start}") from error
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return directory.lines_of_csv(text)
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        return directory.lines_of_ndjson(text)
    raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send content-type application/x-ndjson or text/csv")
