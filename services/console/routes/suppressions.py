"""`/v1/suppressions`: addresses that no mail goes to."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, StringConstraints, TypeAdapter

from services.console import shapes
from services.console.shapes import Address, LongLine
from services.console.store import suppressions as store
from services.console.store.suppressions import Suppression
from shared.contract.requests import RequestModel, example
from shared.postgres import suppressions
from shared.postgres.pool import Pool, tenant_transaction
from shared.postgres.suppressions import Cause, Suppressed
from shared.runtime import pages
from shared.runtime.authority import MailKey

_LAST: TypeAdapter[tuple[AwareDatetime, str]] = TypeAdapter(
    tuple[AwareDatetime, Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]]
)


class SuppressionFields(RequestModel):
    """An address that no mail shall go to any more."""

    model_config = example({"address": "ada@example.com", "detail": "asked on the telephone"})

    address: Address
    detail: LongLine = "by hand"


class Suppressions:
    """Answers for suppressions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("", self.add, methods=["POST"], status_code=HTTPStatus.CREATED)
        router.add_api_route("/{address:path}", self.one, methods=["GET"])
        router.add_api_route("/{address:path}", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT)
        return router

    async def all(
        self,
        key: MailKey,
        address: Annotated[Address | None, Query(description="Only this address.")] = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[Suppression]:
        """Addresses that no mail goes to, the longest suppressed first."""
        found = await store.after(self._pool, key.tenant, address, pages.decoded(cursor, _LAST), limit + 1)
        return pages.page(found, limit, _place)

    async def add(self, key: MailKey, fields: SuppressionFields) -> Suppression:
        """Send no mail to an address any more; one that is suppressed already keeps its reason."""
        told = Suppressed(key.tenant, fields.address, Cause.MANUAL, fields.detail)
        async with tenant_transaction(self._pool, key.tenant) as connection:
            await suppressions.add(connection, [told])
        return await self.one(key, fields.address)

    async def one(self, key: MailKey, address: Annotated[Address, Path()]) -> Suppression:
        """Why no mail goes to an address."""
        return shapes.found(await store.get(self._pool, key.tenant, address), "suppression")

    async def delete(self, key: MailKey, address: Annotated[Address, Path()]) -> None:
        """Send mail to an address again."""
        if not await store.delete(self._pool, key.tenant, address):
            raise shapes.not_found("suppression")


def _place(found: Suppression) -> tuple[datetime, str]:
    return found.at, found.id
