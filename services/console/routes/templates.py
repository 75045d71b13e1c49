"""`/v1/templates`: mail templates, their versions, and what a mail of them looks like."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter
from starlette.concurrency import run_in_threadpool

from services.console.shapes import not_found, unprocessable
from services.console.store import templates as store
from services.console.store.templates import New, Template
from shared.contract import template_params
from shared.contract.messages import FieldError
from shared.contract.requests import STORABLE, Id, RequestModel, Whole, example
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey
from shared.runtime.problems import ProblemError
from shared.templates import filling, html_of_senders, language, shipped
from shared.templates.language import TemplateMistakeError

_LAST: TypeAdapter[tuple[str]] = TypeAdapter(tuple[str])
_MOST_PARAMS = 1_000
_EXAMPLES = {name: f"https://example.com/{name}" for name in template_params.PERSONAL} | {"userFirstName": "Ada"}

Name = Annotated[str, StringConstraints(pattern=f"^{template_params.NAME.pattern}$"), Path()]
Html = Annotated[str, StringConstraints(min_length=1, max_length=language.LONGEST_SOURCE), STORABLE]
ParamName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ParamValue = Annotated[str, StringConstraints(max_length=500_000)]


class TemplateFields(RequestModel):
    """A template as a tenant writes it."""

    model_config = example({"html": "<p>Hello {{ userFirstName }}, {{ offer }}</p>"})

    html: Html


class PreviewFields(RequestModel):
    """What to fill a template with; `html` in place of the stored one tries a text before it is put."""

    model_config = example({"html": "<p>{{ offer }}</p>", "params": {"offer": "Soup"}, "recipient": "ada"})

    params: Annotated[dict[ParamName, ParamValue], Field(max_length=_MOST_PARAMS)] = Field(default_factory=dict)
    recipient: Id | None = None
    version: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = None
    html: Html | None = None


class TemplateSummary(BaseModel):
    """A template in a list; version 0 comes with the product."""

    name: str
    version: int
    required: Sequence[str]
    optional: Sequence[str]
    created_at: datetime | None


class PreviewAnswer(BaseModel):
    """The body of a mail, as HTML and as text."""

    version: int | None
    html: str
    text: str


class Templates:
    """Answers for templates."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/templates", tags=["templates"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/{name}", self.one, methods=["GET"])
        router.add_api_route("/{name}", self.put, methods=["PUT"])
        router.add_api_route("/{name}", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT)
        router.add_api_route("/{name}/preview", self.preview, methods=["POST"])
        return router

    async def all(
        self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50
    ) -> pages.Page[TemplateSummary]:
        """Templates in the order of their names, each in its newest version, those of the product too."""
        last = pages.decoded(cursor, _LAST)
        behind = last[0] if last else None
        found = {name: _shipped(name) for name in shipped.sources() if behind is None or name > behind}
        found |= {one.name: one for one in await store.after(self._pool, key.tenant, behind, limit + 1)}
        listed = [_summary(found[name]) for name in sorted(found)[: limit + 1]]
        return pages.page(listed, limit, lambda one: [one.name])

    async def one(
        self, key: AdminKey, name: Name, version: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None
    ) -> Template:
        """A template in its newest version, or in another."""
        return await self._found(key.tenant, name, version)

    async def put(self, key: AdminKey, name: Name, fields: TemplateFields) -> Template:
        """Add a version, which counts for what is sent from now on; the same text again adds none."""
        params = await run_in_threadpool(_params_of, fields.html)
        required = sorted(params.required - template_params.PERSONAL)
        optional = sorted(params.optional | (params.required & template_params.PERSONAL))
        return await store.put(self._pool, key.tenant, New(name, fields.html, required, optional))

    async def delete(self, key: AdminKey, name: Name) -> None:
        """Refuse a template to new notifications; what was accepted with it is still sent with it."""
        if not await store.delete(self._pool, key.tenant, name):
            raise not_found("template of your own")

    async def preview(self, key: AdminKey, name: Name, fields: PreviewFields) -> PreviewAnswer:
        """The mail a template makes of params; what is personal is a recipient's, or an example."""
        version, html = None, fields.html
        if html is None:
            template = await self._found(key.tenant, name, fields.version)
            version, html = template.version, template.html
        personal = await self._personal(key.tenant, fields.recipient)
        return await run_in_threadpool(_preview, version, html, {**fields.params, **personal})

    async def _found(self, tenant: str, name: str, version: int | None) -> Template:
        if version != shipped.VERSION and (own := await store.get(self._pool, tenant, name, version)):
            return own
        if version in (None, shipped.VERSION) and name in shipped.sources():
            return _shipped(name)
        raise not_found("template")

    async def _personal(self, tenant: str, recipient: str | None) -> dict[str, str]:
        if recipient is None:
            return _EXAMPLES
        first_name = await store.first_name(self._pool, tenant, recipient)
        if first_name is None:
            raise unprocessable("/recipient", "unknown_recipient", "there is no such user; make it, or leave it out")
        return _EXAMPLES | {"userFirstName": first_name}


def _params_of(html: str) -> language.Params:
    try:
        return language.params_of(html)
    except TemplateMistakeError as error:
        raise unprocessable("/html", "template", str(error)) from error


def _preview(version: int | None, html: str, params: dict[str, str]) -> PreviewAnswer:
    if lacking := template_params.lacking(_params_of(html).required, params):
        errors = [
            FieldError(pointer=f"/params/{name}", code="missing", detail="the template needs this param")
            for name in lacking
        ]
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "the template needs more params; see errors", errors)
    try:
        made = filling.filled(html, params)
    except filling.UnfillableError as error:
        raise unprocessable("/params", "template", str(error)) from error
    return PreviewAnswer(version=version, html=made, text=html_of_senders.text_of(made))


def _shipped(name: str) -> Template:
    html = shipped.sources()[name]
    params = language.params_of(html)
    return Template(name, shipped.VERSION, sorted(params.required), sorted(params.optional), None, html)


def _summary(one: Template) -> TemplateSummary:
    return TemplateSummary(
        name=one.name, version=one.version, required=one.required, optional=one.optional, created_at=one.created_at
    )
