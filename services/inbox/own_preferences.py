"""`/v1/inbox/preferences`: what a recipient wants by push and by mail, said by the recipient."""

from http import HTTPStatus

from fastapi import APIRouter

from services.inbox.who import Who
from shared.contract.outcomes import Channel
from shared.postgres import preferences_over_http
from shared.postgres.pool import Pool, tenant_transaction
from shared.postgres.preferences import About
from shared.postgres.preferences_over_http import (
    NOTHING_SAID,
    UNKNOWN_USER,
    Asset,
    ByChannel,
    ClassKey,
    Preference,
    PreferenceFields,
)
from shared.runtime import pages


class OwnPreferences:
    """Answers recipients about their own preferences."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/inbox/preferences", tags=["preferences"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("", self.put, methods=["PUT"], responses=UNKNOWN_USER)
        router.add_api_route(
            "", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT, responses=NOTHING_SAID
        )
        return router

    async def all(self, who: Who, cursor: pages.Cursor = None, limit: pages.Limit = 50) -> pages.Page[Preference]:
        """What this recipient said, in the order of what it is about."""
        async with tenant_transaction(self._pool, who.tenant) as connection:
            return await preferences_over_http.listed(connection, who.tenant, who.id, cursor, limit)

    async def put(self, who: Who, fields: PreferenceFields) -> Preference:
        """Say what is wanted; saying it again changes nothing."""
        async with tenant_transaction(self._pool, who.tenant) as connection:
            return await preferences_over_http.put(connection, who.tenant, fields.about(who.id), fields.state)

    async def delete(self, who: Who, channel: ByChannel, class_key: ClassKey = None, asset: Asset = None) -> None:
        """Forget one preference, so that what is said more generally holds."""
        about = About(who.id, Channel(channel), class_key, asset)
        async with tenant_transaction(self._pool, who.tenant) as connection:
            await preferences_over_http.delete(connection, who.tenant, about)
