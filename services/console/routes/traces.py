"""`/v1/traces/{notification_id}`."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.console import shapes, tracing
from services.console.store import traces as store
from services.console.store.traces import Moment, Part, Story
from services.console.tracing import Known, TracedDelivery, TraceState
from shared.contract.requests import MAX_RECIPIENTS, Id
from shared.postgres.pool import Connection, Pool, tenant_transaction
from shared.runtime import pages
from shared.runtime.authority import TraceKey

_SUCH_NOTIFICATION = "notification; one without a key is known a moment after it was accepted"


@dataclass(frozen=True, slots=True)
class Trace:
    """The whole story of a notification; `next` asks for more recipients than one request may name."""

    notification_id: UUID
    state: TraceState
    timeline: list[Moment]
    deliveries: list[TracedDelivery]
    next: str | None


class Traces:
    """Answers what became of a notification."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/traces", tags=["traces"])
        router.add_api_route("/{notification_id}", self.one, methods=["GET"])
        return router

    async def one(
        self,
        key: TraceKey,
        notification_id: UUID,
        recipient: Annotated[Id | None, Query(description="Only this recipient's deliveries.")] = None,
        cursor: pages.Cursor = None,
    ) -> Trace:
        """A notification's way: per recipient and channel why it was delivered, was not, or will be later."""
        last = shapes.last_id(cursor)
        async with tenant_transaction(self._pool, key.tenant) as connection:
            story = shapes.found(await store.story(connection, key.tenant, notification_id), _SUCH_NOTIFICATION)
            if story.expires_on is None:
                return Trace(notification_id, tracing.state_of(story, ()), tracing.timeline_of(story, ()), [], None)
            part = Part(notification_id, story.expires_on, recipient, last, MAX_RECIPIENTS + 1)
            return await _trace(connection, key.tenant, story, part)


async def _trace(connection: Connection, tenant: str, story: Story, part: Part) -> Trace:
    items = await store.items(connection, tenant, part)
    page = pages.page(items, MAX_RECIPIENTS, lambda item: [item.recipient])
    recipients = [item.recipient for item in page.items]
    own = await store.deliveries(connection, tenant, [part.notification], recipients)
    digest_ids = [item.digest_id for item in page.items if item.digest_id is not None]
    digests = await store.deliveries(connection, tenant, digest_ids, recipients)
    attempts = await store.attempts(connection, tenant, [delivery.id for delivery in (*own, *digests)])
    deliveries = tracing.deliveries_of(Known(page.items, own, digests, attempts))
    about = recipients if part.recipient is None else [part.recipient]
    moments = await store.timeline(connection, tenant, part, about)
    told = tracing.timeline_of(story, moments) if part.after is None else moments
    return Trace(part.notification, tracing.state_of(story, deliveries), told, deliveries, page.next)
