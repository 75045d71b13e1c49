"""`/v1/endpoints`."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import StringConstraints, TypeAdapter

from services.console import shapes
from services.console.shapes import not_found, unprocessable
from services.console.store import endpoints as store
from services.console.store.endpoints import Endpoint, Wanted
from shared.contract import ids
from shared.contract.requests import ONE_LINE, Id, RequestModel, example
from shared.destinations import ForbiddenDestinationError, Policy
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import DirectoryKey

_SECRET_BYTES = 32
_LAST: TypeAdapter[tuple[Id, UUID]] = TypeAdapter(tuple[Id, UUID])


class EndpointFields(RequestModel):
    """An endpoint to be made."""

    model_config = example(
        {"recipient": "ada", "channel": "push", "kind": "webhook", "address": "https://hooks.example.com/ada"}
    )

    recipient: Id
    channel: Literal["push"] = "push"
    kind: Literal["webhook", "webpush", "apprise"]
    address: Annotated[str, StringConstraints(min_length=1, max_length=2_048), ONE_LINE]


@dataclass(frozen=True, slots=True)
class MadeEndpoint:
    """An endpoint just made, with its secret, which is shown this once."""

    id: UUID
    secret: str
    recipient: str
    channel: str
    kind: str
    address: str
    state: str
    reason: str | None
    created_at: datetime


class Endpoints:
    """Answers for endpoints; `policy` says which addresses users may give."""

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self._pool = pool
        self._policy = policy

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/endpoints", tags=["endpoints"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("", self.add, methods=["POST"], status_code=HTTPStatus.CREATED)
        router.add_api_route("/{endpoint}", self.one, methods=["GET"])
        router.add_api_route("/{endpoint}", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT)
        return router

    async def all(
        self,
        key: DirectoryKey,
        recipient: Annotated[Id | None, Query(description="Only this recipient's.")] = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[Endpoint]:
        """Endpoints in the order of their recipients."""
        last = pages.decoded(cursor, _LAST)
        found = await store.after(self._pool, key.tenant, recipient, last, limit + 1)
        return pages.page(found, limit, lambda endpoint: [endpoint.recipient, endpoint.id])

    async def add(self, key: DirectoryKey, fields: EndpointFields) -> MadeEndpoint:
        """Make an endpoint; the answer holds the secret that signs what is sent there, never shown again."""
        if fields.kind != "webhook":
            raise unprocessable("/kind", "unsupported", f"this release delivers to webhooks only, not to {fields.kind}")
        try:
            self._policy.destination(fields.address)
        except ForbiddenDestinationError as error:
            raise unprocessable("/address", "forbidden_destination", str(error)) from error
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        wanted = Wanted(ids.fresh(), fields.recipient, fields.kind, fields.address, secret)
        made = await store.add(self._pool, key.tenant, wanted)
        if made is None:
            detail = "there is no such user; make it first with PUT /v1/users/{id}"
            raise unprocessable("/recipient", "unknown_recipient", detail)
        return MadeEndpoint(
            made.id, secret, made.recipient, made.channel, made.kind, made.address, made.state, made.reason,
            made.created_at,
        )  # fmt: skip

    async def one(self, key: DirectoryKey, endpoint: UUID) -> Endpoint:
        """One endpoint, without its secret."""
        return shapes.found(await store.get(self._pool, key.tenant, endpoint), "endpoint")

    async def delete(self, key: DirectoryKey, endpoint: UUID) -> None:
        """Delete an endpoint: nothing is sent there any more."""
        if not await store.delete(self._pool, key.tenant, endpoint):
            raise not_found("endpoint")
