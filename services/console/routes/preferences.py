"""`/v1/preferences`: what recipients want by push and by mail."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from shared.contract.outcomes import Channel
from shared.contract.requests import Id, example
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
from shared.runtime.authority import DirectoryKey


class RecipientsPreference(PreferenceFields):
    """What a recipient wants or not; without `class` and `asset` of any class and asset."""

    model_config = example({"recipient": "ada", "channel": "email", "class": "offers", "state": "unsubscribed"})

    recipient: Id


class Preferences:
    """Answers for preferences."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/preferences", tags=["preferences"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("", self.put, methods=["PUT"], responses=UNKNOWN_USER)
        router.add_api_route(
            "", self.delete, methods=["DELETE"], status_code=HTTPStatus.NO_CONTENT, responses=NOTHING_SAID
        )
        return router

    async def all(
        self,
        key: DirectoryKey,
        recipient: Annotated[Id | None, Query(description="Only this recipient's.")] = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[Preference]:
        """What recipients said, in the order of what it is about."""
        async with tenant_transaction(self._pool, key.tenant) as connection:
            return await preferences_over_http.listed(connection, key.tenant, recipient, cursor, limit)

    async def put(self, key: DirectoryKey, fields: RecipientsPreference) -> Preference:
        """Say for a recipient what is wanted; saying it again changes nothing."""
        async with tenant_transaction(self._pool, key.tenant) as connection:
            return await preferences_over_http.put(connection, key.tenant, fields.about(fields.recipient), fields.state)

    async def delete(
        self,
        key: DirectoryKey,
        recipient: Annotated[Id, Query(description="Whose preference it is.")],
        channel: ByChannel,
        class_key: ClassKey = None,
        asset: Asset = None,
    ) -> None:
        """Forget one preference, so that what is said more generally holds."""
        about = About(recipient, Channel(channel), class_key, asset)
        async with tenant_transaction(self._pool, key.tenant) as connection:
            await preferences_over_http.delete(connection, key.tenant, about)
