"""`/u/{token}`: what a recipient gets, and the button that ends it; no login, the link says whose it is.

GET changes nothing, since programs follow links in mail. POST acts at once, whatever it carries: what RFC 8058 sends
(`List-Unsubscribe=One-Click`) and what a browser does. Only what the page's own buttons send does otherwise: it undoes
that, ends everything by the link's channel, or undoes the latter.
"""

from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Request
from fastapi.responses import HTMLResponse

from services.inbox import store_subscriptions as store
from services.inbox import words
from services.inbox.metrics import Metrics
from services.inbox.page import page
from services.inbox.words import PageText, Standing, Wish
from shared.errors import TransientError
from shared.postgres.pool import Pool, tenant_transaction
from shared.postgres.preferences import PreferenceState
from shared.unsubscribe import PATH, Subscription, UnsubscribeLinks
from shared.words import of

_log = structlog.get_logger()

Languages = Annotated[str, Header()]
"""What the browser is set to, for readers whose own locale is not known."""

_WISHES = {f"do={wish}".encode(): wish for wish in Wish}
_ACTS = {Wish.END: store.end, Wish.AGAIN: store.renew, Wish.END_ALL: store.end_all, Wish.AGAIN_ALL: store.renew_all}
_ALREADY = {
    Wish.END: (Standing.UNSUBSCRIBED, Standing.NOTHING),
    Wish.AGAIN: (Standing.SUBSCRIBED,),
    Wish.END_ALL: (Standing.NOTHING,),
}
"""Where a wish changes nothing."""


class Unsubscribing:
    """Answers who follows an unsubscribe link, and the mail programs that do it for them."""

    def __init__(self, pool: Pool, links: UnsubscribeLinks, metrics: Metrics) -> None:
        self._pool = pool
        self._links = links
        self._metrics = metrics

    def routes(self) -> APIRouter:
        """The page; it is for people, so the API's document leaves it out."""
        router = APIRouter(prefix=PATH, include_in_schema=False)
        router.add_api_route("/{token}", self.show, methods=["GET"])
        router.add_api_route("/{token}", self.act, methods=["POST"])
        return router

    async def show(self, token: str, accept_language: Languages = "") -> HTMLResponse:
        """How it stands with a subscription."""
        return await self._page(token, None, accept_language)

    async def act(self, request: Request, token: str, accept_language: Languages = "") -> HTMLResponse:
        """End a subscription, or what else a button of the page does; repeating it changes nothing."""
        return await self._page(token, _WISHES.get(await request.body(), Wish.END), accept_language)

    async def _page(self, token: str, wish: Wish | None, accept_language: str) -> HTMLResponse:
        about, browsers = self._links.read(token), accept_language.partition(",")[0].partition(";")[0]
        try:
            found = None if about is None else await self._told(about, wish, browsers)
        except TransientError as error:
            _log.warning("subscription_unreachable", reason=error.reason)
            return page(words.away(of(browsers)), HTTPStatus.SERVICE_UNAVAILABLE)
        return page(words.no_such_link(of(browsers)), HTTPStatus.NOT_FOUND) if found is None else page(found)

    async def _told(self, about: Subscription, wish: Wish | None, browsers: str) -> PageText | None:
        """What the page says once a wish is fulfilled; None where there is no such recipient."""
        async with tenant_transaction(self._pool, about.tenant) as connection:
            found = await store.find(connection, about)
            if found is None:
                return None
            before = found.standing
            if wish is not None and before not in _ALREADY.get(wish, ()):
                await _ACTS[wish](connection, about)
                found = await store.find(connection, about) or found
        if found.standing is not before:
            ended = wish in (Wish.END, Wish.END_ALL)
            state = PreferenceState.UNSUBSCRIBED if ended else PreferenceState.SUBSCRIBED
            self._metrics.subscriptions.labels(state).inc()
            _log.info("subscription_changed", channel=about.channel, wish=wish, standing=found.standing)
        said = of(found.locale or browsers)
        subject = words.subject(said, found.class_name, about.asset)
        return words.told(said, found.standing, found.sender, subject, about.channel)
