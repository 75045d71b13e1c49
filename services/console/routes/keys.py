"""`/v1/keys`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import AfterValidator, Field

from services.console import shapes
from services.console.shapes import LongLine, MomentToCome, PathId, ShortLine, not_found
from services.console.store import keys as store
from services.console.store.keys import Key, NewKey
from shared import access
from shared.access import Scope
from shared.contract.requests import RequestModel, Whole, example
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey
from shared.runtime.secret_file import SecretFile

_DAY_SECONDS = 86_400


def _scope(text: str) -> str:
    if text in set(Scope) or (text.startswith(f"{Scope.PUBLISH}:") and text != f"{Scope.PUBLISH}:"):
        return text
    raise ValueError(f"is no scope; use one of {', '.join(Scope)}, or {Scope.PUBLISH}:<class>")


_SCOPE = Field(json_schema_extra={"pattern": rf"^({'|'.join(Scope)}|{Scope.PUBLISH}:[^\x00-\x1f\x7f-\x9f]+)$"})


class KeyFields(RequestModel):
    """A key to be made."""

    model_config = example({"name": "billing", "scopes": ["publish:invoices", "trace"], "expires_at": None})

    name: LongLine
    scopes: Annotated[
        tuple[Annotated[ShortLine, AfterValidator(_scope), _SCOPE], ...], Field(min_length=1, max_length=100)
    ]
    expires_at: MomentToCome | None = None


class Rotation(RequestModel):
    """How long the key before opens too."""

    model_config = example({"both_seconds": 3600})

    both_seconds: Annotated[Whole, Field(ge=0, le=30 * _DAY_SECONDS)] = _DAY_SECONDS


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key with its text, which is shown this once."""

    id: str
    key: str
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    previous_until: datetime | None


class Keys:
    """Answers for API keys; `secret` is what their HMACs are made with."""

    def __init__(self, pool: Pool, secret: SecretFile) -> None:
        self._pool = pool
        self._secret = secret

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/keys", tags=["keys"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("", self.add, methods=["POST"], status_code=HTTPStatus.CREATED)
        router.add_api_route("/{key_id}/rotate", self.rotate, methods=["POST"])
        router.add_api_route("/{key_id}", self.revoke, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT)
        return router

    async def all(self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50) -> pages.Page[Key]:
        """Keys in the order of their ids, without what they are."""
        found = await store.after(self._pool, key.tenant, shapes.last_id(cursor), limit + 1)
        return pages.page(found, limit, lambda stored: [stored.id])

    async def add(self, key: AdminKey, fields: KeyFields) -> ShownKey:
        """Make a key; the answer is the only time it is shown."""
        key_id, text = access.new_key()
        hmac = access.key_hmac(text, self._secret.current())
        new = NewKey(key_id, fields.name, fields.scopes, hmac, fields.expires_at)
        return _shown(await store.add(self._pool, key.tenant, new), text)

    async def rotate(
        self, key: AdminKey, key_id: PathId, rotation: Annotated[Rotation | None, Body()] = None
    ) -> ShownKey:
        """Give a key a new text; the text before opens for `both_seconds` more, a day unless said."""
        _, text = access.new_key(key_id)
        hmac = access.key_hmac(text, self._secret.current())
        both_seconds = (rotation or Rotation()).both_seconds
        rotated = await store.rotate(self._pool, key.tenant, key_id, hmac, both_seconds)
        if rotated is None:
            raise not_found("key that is still valid")
        return _shown(rotated, text)

    async def revoke(self, key: AdminKey, key_id: PathId) -> None:
        """End a key at once."""
        if not await store.revoke(self._pool, key.tenant, key_id):
            raise not_found("key that is still valid")


def _shown(stored: Key, text: str) -> ShownKey:
    return ShownKey(
        stored.id, text, stored.name, stored.scopes, stored.created_at, stored.expires_at, stored.previous_until
    )
