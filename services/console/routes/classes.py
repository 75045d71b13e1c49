"""`/v1/classes`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AfterValidator, Field

from services.console import shapes
from services.console.shapes import JsonObject, LongLine, PathId, ShortLine
from services.console.store import classes as store
from services.console.store.classes import CommunicationClass
from shared.contract import known_options
from shared.contract.requests import RequestModel, example
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey


def _known_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options are free, but those that Tocsin itself reads must mean something to it."""
    mistakes = [f"{name} {detail}" for name, detail in known_options.mistakes(options)]
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return options


class ClassFields(RequestModel):
    """A communication class as a tenant describes it."""

    model_config = example({"name": "Enquiries", "options": {"email": "digest", "window_seconds": 900}})

    name: LongLine
    options: Annotated[JsonObject, AfterValidator(_known_options)] = Field(default_factory=dict)


class Classes:
    """Answers for communication classes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/classes", tags=["classes"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/{class_key:path}", self.one, methods=["GET"])
        router.add_api_route("/{class_key:path}", self.put, methods=["PUT"])
        return router

    async def all(
        self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50
    ) -> pages.Page[CommunicationClass]:
        """Communication classes in the order of their keys."""
        found = await store.after(self._pool, key.tenant, shapes.last_id(cursor), limit + 1)
        return pages.page(found, limit, lambda one: [one.key])

    async def one(self, key: AdminKey, class_key: PathId) -> CommunicationClass:
        """One communication class."""
        return shapes.found(await store.get(self._pool, key.tenant, class_key), "class")

    async def put(
        self, key: AdminKey, class_key: Annotated[ShortLine, Path()], fields: ClassFields
    ) -> CommunicationClass:
        """Make a communication class, or replace the one there is."""
        made = CommunicationClass(class_key, fields.name, fields.options)
        await store.put(self._pool, key.tenant, made)
        return made
