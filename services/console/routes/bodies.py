"""`/v1/bodies`: contents too large for a record, kept and read by the reference that stands in their place."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from services.console import shapes
from services.console.store import bodies as store
from shared.postgres import uploads
from shared.postgres.pool import Pool
from shared.postgres.uploads import KeptBody, Uploads
from shared.runtime.authority import AdminKey, PublishKey
from shared.runtime.large_bodies import LargeBodies

# Whatever bytes somebody sent: nothing that opens them may take them for a page of this origin.
_HEADERS = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}

_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_LONGEST = {"type": "string", "minLength": 1, "maxLength": uploads.LONGEST_TEXT}
_TEXT: dict[str, Any] = {"requestBody": {"required": True, "content": {"text/html": {"schema": _LONGEST}}}}

Reference = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The SHA-256 of the content, in hexadecimal.")]


class Bodies:
    """Answers for contents."""

    def __init__(self, pool: Pool, large: LargeBodies) -> None:
        self._pool = pool
        self._uploads = Uploads(pool, large)

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix=uploads.PATH, tags=["bodies"])
        router.add_api_route("", self.add, methods=["POST"], status_code=HTTPStatus.CREATED, openapi_extra=_TEXT)
        router.add_api_route("/{reference}", self.one, methods=["GET"], response_class=Response, responses=_BYTES)
        return router

    async def add(self, key: PublishKey, request: Request) -> KeptBody:
        """Keep a text of up to 10,000,000 characters; the same text again is kept once, for longer."""
        return await self._uploads.keep(request, key.tenant)

    async def one(self, key: AdminKey, reference: Reference) -> Response:
        """The bytes that `original_ref` or the header `original-ref` names, while they are kept."""
        content = shapes.found(await store.get(self._pool, key.tenant, bytes.fromhex(reference)), "body")
        return Response(content, media_type="application/octet-stream", headers=_HEADERS)
