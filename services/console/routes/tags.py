"""`/v1/tags`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import TypeAdapter

from services.console import shapes
from services.console.shapes import LongLine, ShortLine
from services.console.store import tags as store
from services.console.store.tags import Tag
from shared.contract.requests import RequestModel, example
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey

_LARGEST_ID = 2**53 - 1
TagId = Annotated[int, Path(ge=1, le=_LARGEST_ID)]
_LAST: TypeAdapter[tuple[int]] = TypeAdapter(tuple[TagId])


class TagFields(RequestModel):
    """A tag as a tenant describes it; `campaign` is the id of the campaign it stands for."""

    model_config = example({"name": "Spring", "campaign": "spring-2026"})

    name: LongLine
    campaign: ShortLine | None = None


class Tags:
    """Answers for tags."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/tags", tags=["tags"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/{tag}", self.one, methods=["GET"])
        router.add_api_route("/{tag}", self.put, methods=["PUT"])
        router.add_api_route("/{tag}", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT)
        return router

    async def all(self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50) -> pages.Page[Tag]:
        """Tags in the order of their ids."""
        found = await store.after(self._pool, key.tenant, shapes.last_of(cursor, _LAST), limit + 1)
        return pages.page(found, limit, lambda tag: [tag.id])

    async def one(self, key: AdminKey, tag: TagId) -> Tag:
        """One tag."""
        return shapes.found(await store.get(self._pool, key.tenant, tag), "tag")

    async def put(self, key: AdminKey, tag: TagId, fields: TagFields) -> Tag:
        """Make or replace a tag."""
        made = Tag(tag, fields.name, fields.campaign)
        await store.put(self._pool, key.tenant, made)
        return made

    async def delete(self, key: AdminKey, tag: TagId) -> None:
        """Delete a tag: nothing can name it any more."""
        if not await store.delete(self._pool, key.tenant, tag):
            raise shapes.not_found("tag")
