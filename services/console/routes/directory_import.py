"""`POST /v1/directory/import`: users, groups or memberships from a file."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel

from services.console import files, importing
from services.console.files import Content, FileLine
from services.console.metrics import Metrics
from services.console.shapes import unprocessable
from shared.contract.messages import FieldError
from shared.postgres.pool import Pool
from shared.runtime.authority import DirectoryKey
from shared.runtime.large_bodies import LargeBodies
from shared.runtime.problems import ProblemError

IMPORT_PATH = "/v1/directory/import"
MAX_IMPORT_BYTES = 16 * 1024 * 1024
_LINES_AT_ONCE = 500
_LISTED_LINES = 1_000

_LINES = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/x-ndjson": _LINES, "text/csv": _LINES}}
}


class WrongLine(BaseModel):
    """A line of a file that was not imported, and why."""

    line: int
    errors: Sequence[FieldError]


class ImportAnswer(BaseModel):
    """How a file was taken: `errors` lists the first thousand of the `failed` lines."""

    imported: int
    failed: int
    errors: list[WrongLine]


class DirectoryImport:
    """Takes files in."""

    def __init__(self, pool: Pool, metrics: Metrics, large: LargeBodies) -> None:
        self._pool = pool
        self._large = large
        self._metrics = metrics

    def routes(self) -> APIRouter:
        """The route of this resource."""
        router = APIRouter(tags=["directory"])
        router.add_api_route(IMPORT_PATH, self.take_in, methods=["POST"], openapi_extra=_FILE)
        return router

    async def take_in(
        self,
        key: DirectoryKey,
        request: Request,
        of: Annotated[Content, Query(description="What the file holds.")] = Content.USERS,
        content_type: Annotated[str, Header()] = "application/x-ndjson",
    ) -> ImportAnswer:
        """Make or replace what a file holds, NDJSON or CSV, one a line; wrong lines are told and stop no others.

        A line is taken in whole or not at all. Taking a file in again changes nothing: after a 503, send it again.
        """
        async with self._large.body_of(request, MAX_IMPORT_BYTES) as body:
            return await self._taken_in(key.tenant, _lines(body, content_type, of), of)

    async def _taken_in(self, tenant: str, lines: Iterator[FileLine], of: Content) -> ImportAnswer:
        answer = ImportAnswer(imported=0, failed=0, errors=[])
        while batch := list(islice(lines, _LINES_AT_ONCE)):
            ended = await importing.taken_in(self._pool, tenant, batch)
            wrong = [WrongLine(line=line.number, errors=line.errors) for line in ended if line.entry is None]
            answer.imported += len(batch) - len(wrong)
            answer.failed += len(wrong)
            self._metrics.imported.labels(of).inc(len(batch) - len(wrong))
            answer.errors += wrong[: _LISTED_LINES - len(answer.errors)]
        return answer


def _lines(body: bytearray, content_type: str, content: Content) -> Iterator[FileLine]:
    if not body:
        raise unprocessable("", "missing", "the file is empty; send an entry a line")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unprocessable("", "not_utf8", f"the file is not UTF-8 at byte {error.start}") from error
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return files.lines_of_csv(text, content)
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        return files.lines_of_ndjson(text, content)
    raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send content-type application/x-ndjson or text/csv")
