"""`/v1/classes`, `/v1/importances`, `/v1/properties`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from services.console.shapes import JsonObject, JsonValue, LongLine, PathId, ShortLine, not_found
from services.console.store import configuration as store
from services.console.store.configuration import CommunicationClass, Property
from shared.contract import known_options
from shared.contract.importance import STANDARD_OPTIONS, Importance, ImportanceOptions
from shared.contract.requests import Id, RequestModel
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey

_LONGEST_RETENTION_DAYS = 3_650
_LAST: TypeAdapter[tuple[Id]] = TypeAdapter(tuple[Id])


def _known_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options are free, but those that Tocsin itself reads must mean something to it."""
    mistakes = [f"{name} {detail}" for name, detail in known_options.mistakes(options)]
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return options


class ClassFields(RequestModel):
    """A communication class as a tenant describes it."""

    name: LongLine
    options: Annotated[JsonObject, AfterValidator(_known_options)] = Field(default_factory=dict)


class ImportanceFields(RequestModel):
    """The options of an importance (C2), all of them."""

    retention: Annotated[int, Field(ge=1, le=_LONGEST_RETENTION_DAYS, description="Days.")]
    css_class: Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w\- ]*$"), Field(alias="cssClass")]
    sort: Annotated[int, Field(ge=-1_000, le=1_000)]
    send: bool


class ImportanceAnswer(BaseModel):
    """An importance as it counts for the tenant."""

    model_config = ConfigDict(validate_by_name=True)

    name: str
    retention: int
    css_class: Annotated[str, Field(alias="cssClass")]
    sort: int
    send: bool


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("is null, which says nothing; give a value")
    return value


class PropertyFields(RequestModel):
    """The value of a property."""

    value: Annotated[JsonValue, AfterValidator(_given)]


class Configuration:
    """Answers for what a tenant configures."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of these resources."""
        router = APIRouter(prefix="/v1", tags=["configuration"])
        router.add_api_route("/classes", self.classes, methods=["GET"])
        router.add_api_route("/classes/{class_key:path}", self.one_class, methods=["GET"])
        router.add_api_route("/classes/{class_key:path}", self.put_class, methods=["PUT"])
        router.add_api_route("/importances", self.importances, methods=["GET"])
        router.add_api_route("/importances/{name}", self.importance, methods=["GET"])
        router.add_api_route("/importances/{name}", self.put_importance, methods=["PUT"])
        router.add_api_route("/properties", self.properties, methods=["GET"])
        router.add_api_route("/properties/{name:path}", self.one_property, methods=["GET"])
        router.add_api_route("/properties/{name:path}", self.put_property, methods=["PUT"])
        return router

    async def classes(
        self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50
    ) -> pages.Page[CommunicationClass]:
        """Communication classes in the order of their keys."""
        last = pages.decoded(cursor, _LAST)
        found = await store.classes_after(self._pool, key.tenant, last[0] if last else None, limit + 1)
        return pages.page(found, limit, lambda one: [one.key])

    async def one_class(self, key: AdminKey, class_key: PathId) -> CommunicationClass:
        """One communication class."""
        found = await store.get_class(self._pool, key.tenant, class_key)
        if found is None:
            raise not_found("class")
        return found

    async def put_class(
        self, key: AdminKey, class_key: Annotated[ShortLine, Path()], fields: ClassFields
    ) -> CommunicationClass:
        """Make a communication class, or replace the one there is."""
        made = CommunicationClass(class_key, fields.name, fields.options)
        await store.put_class(self._pool, key.tenant, made)
        return made

    async def importances(self, key: AdminKey) -> pages.Page[ImportanceAnswer]:
        """The six importances in the tenant's order."""
        own = await store.importances(self._pool, key.tenant)
        every = [_answer(name, own.get(name, standard)) for name, standard in STANDARD_OPTIONS.items()]
        return pages.Page(items=sorted(every, key=lambda one: one.sort), next=None)

    async def importance(self, key: AdminKey, name: Importance) -> ImportanceAnswer:
        """One importance."""
        own = await store.importances(self._pool, key.tenant)
        return _answer(name, own.get(name, STANDARD_OPTIONS[name]))

    async def put_importance(self, key: AdminKey, name: Importance, fields: ImportanceFields) -> ImportanceAnswer:
        """Override the options of an importance; it counts for what is taken in from now on."""
        options = ImportanceOptions(fields.retention, fields.css_class, fields.sort, fields.send)
        await store.put_importance(self._pool, key.tenant, name.value, options)
        return _answer(name, options)

    async def properties(
        self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50
    ) -> pages.Page[Property]:
        """Properties in the order of their names."""
        last = pages.decoded(cursor, _LAST)
        found = await store.properties_after(self._pool, key.tenant, last[0] if last else None, limit + 1)
        return pages.page(found, limit, lambda one: [one.name])

    async def one_property(self, key: AdminKey, name: PathId) -> Property:
        """One property."""
        found = await store.get_property(self._pool, key.tenant, name)
        if found is None:
            raise not_found("property")
        return found

    async def put_property(self, key: AdminKey, name: PathId, fields: PropertyFields) -> Property:
        """Set a property."""
        made = Property(name, fields.value)
        await store.put_property(self._pool, key.tenant, made)
        return made


def _answer(name: Importance, options: ImportanceOptions) -> ImportanceAnswer:
    return ImportanceAnswer(
        name=name.value, retention=options.retention, css_class=options.css_class, sort=options.sort, send=options.send
    )
