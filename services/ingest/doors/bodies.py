"""The HTTP door of large bodies: kept under their hash, to be named by a request that is too small for them."""

from http import HTTPStatus

import orjson
from fastapi import Request, Response

from services.ingest.doors.http_entry import HttpEntry
from shared.postgres.uploads import Uploads
from shared.runtime.problems import ProblemError


class BodiesDoor:
    """Answers `POST /v1/bodies`."""

    def __init__(self, entry: HttpEntry, uploads: Uploads) -> None:
        self._entry = entry
        self._uploads = uploads

    async def add(self, request: Request) -> Response:
        """Keep a text; errors as `Uploads.keep`, and ProblemError 401 or 403 for the key."""
        with self._entry.inside():
            key = await self._entry.key(request)
            if not key.may_publish():
                raise ProblemError(HTTPStatus.FORBIDDEN, "this API key lacks the scope publish or publish:<class>")
            kept = await self._uploads.keep(request, key.tenant)
        return Response(orjson.dumps(kept), HTTPStatus.CREATED, media_type="application/json")
