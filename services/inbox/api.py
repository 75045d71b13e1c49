"""The inbox's HTTP API: `/v1/inbox` for recipients, `/v1/inbox/tokens` for their tenant's server."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Response
from pydantic import AwareDatetime, Field, TypeAdapter

from services.inbox import items, store
from services.inbox.actions import Actions, Confirmation, Redirect
from services.inbox.items import Item
from services.inbox.metrics import Metrics
from services.inbox.own_preferences import OwnPreferences
from services.inbox.store import Asked, Count
from services.inbox.tokens import Recipient, Tokens
from services.inbox.unsubscribing import Unsubscribing
from services.inbox.who import Who
from shared.contract.importance import Importance
from shared.contract.messages import FieldError
from shared.contract.requests import MAX_BODY_BYTES, Id, RequestModel, Whole, example
from shared.postgres.pool import Pool, tenant_transaction
from shared.runtime import api_document, authority, pages, problems
from shared.runtime.authority import AdminKey, FindKey
from shared.runtime.body_limit import BodyLimit
from shared.runtime.problems import ProblemError
from shared.runtime.refused_credentials import Doors
from shared.unsubscribe import UnsubscribeLinks

DOORS = Doors("inbox", {"/v1/inbox/tokens": "inbox_tokens"})
"""Who refused a credential: a recipient's token, or its tenant's API key."""

_LAST = TypeAdapter(tuple[Importance, AwareDatetime, UUID])

_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "Not allowed, or done already: by whom and when."}}
_REDIRECT: dict[int | str, dict[str, Any]] = {303: {"description": "To the action URL, which completes the item."}}

AtOnce = Annotated[bool, Query(alias="complete", description="Complete at once, without redirect or question.")]


class TokenFields(RequestModel):
    """For whom a token is asked, and for how long."""

    model_config = example({"recipient": "ada", "seconds": 900})

    recipient: Id
    seconds: Annotated[Whole, Field(ge=1)] = 900


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token, and the address at which its recipient is logged in by it."""

    token: str
    expires_at: datetime
    login_url: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the installation decided about tokens."""

    longest_seconds: int
    public_url: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What the API needs."""

    pool: Pool
    find_key: FindKey
    tokens: Tokens
    actions: Actions
    links: UnsubscribeLinks
    metrics: Metrics
    limits: Limits


class Inbox:
    """Answers recipients and their tenants' servers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> APIRouter:
        """The routes of the inbox."""
        router = APIRouter(prefix="/v1/inbox", tags=["inbox"])
        router.add_api_route("/tokens", self.token, methods=["POST"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/count", self.count, methods=["GET"])
        router.add_api_route(
            "/{item}/complete", self.complete, methods=["POST"], response_model=Item | Confirmation,
            responses=_CONFLICT | _REDIRECT,
        )  # fmt: skip
        router.add_api_route("/{item}/dismiss", self.dismiss, methods=["POST"], responses=_CONFLICT)
        router.add_api_route("/{item}/undismiss", self.undismiss, methods=["POST"], responses=_CONFLICT)
        return router

    async def token(self, key: AdminKey, fields: TokenFields) -> TokenAnswer:
        """A token with which one recipient reads and acts on the own inbox, and nothing else."""
        limits = self._parts.limits
        if fields.seconds > limits.longest_seconds:
            detail = f"a token lives at most {limits.longest_seconds} seconds here; ask for less and renew it"
            wrong = FieldError(pointer="/seconds", code="less_than_equal", detail=detail)
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, [wrong])
        token, expires_at = self._parts.tokens.issued(Recipient(key.tenant, fields.recipient), fields.seconds)
        return TokenAnswer(token, expires_at, f"{limits.public_url}/login/{token}")

    async def all(
        self,
        who: Who,
        show: Annotated[Literal["open", "dismissed", "all"], Query(description="Which items.")] = "open",
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[Item]:
        """Items by importance in the tenant's order, oldest first within each."""
        asked = Asked(show, pages.decoded(cursor, _LAST), limit + 1)
        async with tenant_transaction(self._parts.pool, who.tenant) as connection:
            importances = items.presented(await store.importances(connection, who.tenant))
            found = await store.items(connection, who, list(importances), asked)
        seen = [items.seen(item, importances) for item in found]
        return pages.page(seen, limit, lambda item: [item.importance, item.created_at.isoformat(), item.id])

    async def count(self, who: Who) -> Count:
        """How many items are open, and how many of them require an action."""
        async with tenant_transaction(self._parts.pool, who.tenant) as connection:
            return await store.count(connection, who)

    async def complete(self, who: Who, item: UUID, at_once: AtOnce = False) -> Any:  # noqa: FBT002 - a query parameter
        """Complete an item for all its recipients, or learn how: by its action URL, or after a question."""
        outcome = await self._parts.actions.complete(who, item, at_once=at_once)
        if isinstance(outcome, Redirect):
            return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": outcome.url})
        return outcome

    async def dismiss(self, who: Who, item: UUID) -> Item:
        """Hide an item from the open ones of this recipient."""
        return await self._parts.actions.dismiss(who, item, dismissed=True)

    async def undismiss(self, who: Who, item: UUID) -> Item:
        """Bring a dismissed item back."""
        return await self._parts.actions.dismiss(who, item, dismissed=False)


def build(parts: Parts) -> FastAPI:
    """The application; its OpenAPI document is at /v1/openapi.json."""
    api = FastAPI(
        title="Tocsin inbox", version="1", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    problems.install(api)
    authority.install(api, parts.find_key)
    api.state.tokens = parts.tokens
    api.include_router(OwnPreferences(parts.pool).routes())
    api.include_router(Inbox(parts).routes())
    api.include_router(Unsubscribing(parts.pool, parts.links, parts.metrics).routes())
    api_document.install(api)
    api.add_middleware(BodyLimit, most_bytes=MAX_BODY_BYTES)
    return api
