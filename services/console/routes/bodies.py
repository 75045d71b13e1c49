"""`/v1/bodies`: contents too large for a record, by the reference that stands in their place."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from services.console import shapes
from services.console.store import bodies as store
from shared.postgres.pool import Pool
from shared.runtime.authority import AdminKey

# Whatever bytes somebody sent: nothing that opens them may take them for a page of this origin.
_HEADERS = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}

_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}

Reference = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The SHA-256 of the content, in hexadecimal.")]


class Bodies:
    """Answers for contents."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/bodies", tags=["bodies"])
        router.add_api_route("/{reference}", self.one, methods=["GET"], response_class=Response, responses=_BYTES)
        return router

    async def one(self, key: AdminKey, reference: Reference) -> Response:
        """The bytes that `original_ref` or the header `original-ref` names, while they are kept."""
        content = shapes.found(await store.get(self._pool, key.tenant, bytes.fromhex(reference)), "body")
        return Response(content, media_type="application/octet-stream", headers=_HEADERS)
