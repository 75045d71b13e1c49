"""`/v1/importances`."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from services.console.store import importances as store
from shared.contract.importance import STANDARD_OPTIONS, Importance, ImportanceOptions
from shared.contract.requests import RequestModel, Whole, example
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey

_LONGEST_RETENTION_DAYS = 3_650


class ImportanceFields(RequestModel):
    """The options of an importance (C2), all of them."""

    model_config = example({"retention": 7, "cssClass": "bg-danger", "sort": 1, "send": True})

    retention: Annotated[Whole, Field(ge=1, le=_LONGEST_RETENTION_DAYS, description="Days.")]
    css_class: Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w\- ]*$"), Field(alias="cssClass")]
    sort: Annotated[Whole, Field(ge=-1_000, le=1_000)]
    send: StrictBool


class ImportanceAnswer(BaseModel):
    """An importance as it counts for the tenant."""

    model_config = ConfigDict(validate_by_name=True)

    name: str
    retention: int
    css_class: Annotated[str, Field(alias="cssClass")]
    sort: int
    send: bool


class Importances:
    """Answers for importances."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/importances", tags=["importances"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/{name}", self.one, methods=["GET"])
        router.add_api_route("/{name}", self.put, methods=["PUT"])
        return router

    async def all(self, key: AdminKey) -> pages.Page[ImportanceAnswer]:
        """The six importances in the tenant's order."""
        own = await store.overridden(self._pool, key.tenant)
        every = [_answer(name, own.get(name, standard)) for name, standard in STANDARD_OPTIONS.items()]
        return pages.Page(items=sorted(every, key=lambda one: one.sort), next=None)

    async def one(self, key: AdminKey, name: Importance) -> ImportanceAnswer:
        """One importance."""
        own = await store.overridden(self._pool, key.tenant)
        return _answer(name, own.get(name, STANDARD_OPTIONS[name]))

    async def put(self, key: AdminKey, name: Importance, fields: ImportanceFields) -> ImportanceAnswer:
        """Override the options of an importance; it counts for what is taken in from now on."""
        options = ImportanceOptions(fields.retention, fields.css_class, fields.sort, fields.send)
        await store.put(self._pool, key.tenant, name.value, options)
        return _answer(name, options)


def _answer(name: Importance, options: ImportanceOptions) -> ImportanceAnswer:
    return ImportanceAnswer(
        name=name.value, retention=options.retention, css_class=options.css_class, sort=options.sort, send=options.send
    )
