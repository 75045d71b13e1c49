"""`/v1/sam/company-keys`, `/v1/sam/tokens`: what callers of the sendNotification dialect present."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter

from services.console import shapes
from services.console.shapes import MomentToCome, PathId, ShortLine
from services.console.store import sam as store
from services.console.store.sam import CompanyKey, NewToken, Token
from shared import access, sam_access
from shared.contract.requests import Id, RequestModel, example
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey
from shared.runtime.secret_file import SecretFile


class CompanyKeyFields(RequestModel):
    """A company's key to be made: `company` is the company's id, the dialect's companyId."""

    model_config = example({"company": "3"})

    company: ShortLine


class TokenFields(RequestModel):
    """A token to be made: it speaks for a user, with the roles the user has when it is used."""

    model_config = example({"user": "ada", "expires_at": None})

    user: Id
    expires_at: MomentToCome | None = None


@dataclass(frozen=True, slots=True)
class ShownCompanyKey:
    """A company's key, which is shown this once: the header `x-nextinteract-company-api-key`."""

    id: str
    key: str
    company: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A token, which is shown this once: the header `x-nextinteract-authtoken`."""

    id: str
    authtoken: str
    user: str
    created_at: datetime
    expires_at: datetime | None


class Sam:
    """Answers for the dialect's credentials; `secret` is what their HMACs are made with."""

    def __init__(self, pool: Pool, secret: SecretFile) -> None:
        self._pool = pool
        self._secret = secret

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/sam", tags=["sam"])
        router.add_api_route("/company-keys", self.keys, methods=["GET"])
        router.add_api_route("/company-keys", self.add_key, methods=["POST"], status_code=HTTPStatus.CREATED)
        router.add_api_route(
            "/company-keys/{key_id}", self.revoke_key, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT
        )
        router.add_api_route("/tokens", self.tokens, methods=["GET"])
        router.add_api_route("/tokens", self.add_token, methods=["POST"], status_code=HTTPStatus.CREATED)
        router.add_api_route(
            "/tokens/{token_id}", self.revoke_token, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT
        )
        return router

    async def keys(self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50) -> pages.Page[CompanyKey]:
        """Company keys in the order of their ids, without what they are."""
        found = await store.keys_after(self._pool, key.tenant, shapes.last_id(cursor), limit + 1)
        return pages.page(found, limit, lambda stored: [stored.id])

    async def add_key(self, key: AdminKey, fields: CompanyKeyFields) -> ShownCompanyKey:
        """Make a key of a company; the answer is the only time it is shown."""
        key_id, text = sam_access.new_company_key()
        made = await store.add_key(self._pool, key.tenant, key_id, fields.company, self._hmac(text))
        return ShownCompanyKey(made.id, text, made.company, made.created_at)

    async def revoke_key(self, key: AdminKey, key_id: PathId) -> None:
        """End a company's key at once."""
        if not await store.revoke_key(self._pool, key.tenant, key_id):
            raise shapes.not_found("company key that is still valid")

    async def tokens(self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50) -> pages.Page[Token]:
        """Tokens in the order of their ids, without what they are."""
        found = await store.tokens_after(self._pool, key.tenant, shapes.last_id(cursor), limit + 1)
        return pages.page(found, limit, lambda stored: [stored.id])

    async def add_token(self, key: AdminKey, fields: TokenFields) -> ShownToken:
        """Make a token of a user; the answer is the only time it is shown."""
        token_id, text = sam_access.new_token()
        new = NewToken(token_id, fields.user, self._hmac(text), fields.expires_at)
        made = await store.add_token(self._pool, key.tenant, new)
        if made is None:
            detail = "there is no such user; make it first with PUT /v1/users/{id}"
            raise shapes.unprocessable("/user", "unknown_user", detail)
        return ShownToken(made.id, text, made.user, made.created_at, made.expires_at)

    async def revoke_token(self, key: AdminKey, token_id: PathId) -> None:
        """End a token at once."""
        if not await store.revoke_token(self._pool, key.tenant, token_id):
            raise shapes.not_found("token that is still valid")

    def _hmac(self, text: str) -> bytes:
        return access.key_hmac(text, self._secret.current())
