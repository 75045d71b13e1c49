"""Push by webhook: a POST signed as Standard Webhooks says, and what its answer means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver
from standardwebhooks import Webhook as Signer

from services.dispatcher.delivery.ports import Claim, Receipt, Webhook
from services.dispatcher.settings import Settings
from services.dispatcher.sinks import network
from shared import destinations, retry
from shared.clock import Clock
from shared.contract.outcomes import AttemptOutcome, Reason
from shared.destinations import Destination, ForbiddenDestinationError, Policy

_HEADERS = {"Content-Type": "application/json", "User-Agent": "Tocsin/1"}
_KNOWN_ADDRESSES = 10_000
_LARGEST_ANSWER_BYTES = 64 * 1024
"""An answer is read this far, so that the connection can be used again; a longer one costs the connection."""

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers below 500 that ask for a repeat (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4)."""


class WebhookSink:
    """Sends notifications to push endpoints of kind webhook."""

    single = False

    def __init__(self, http: aiohttp.ClientSession, policy: Policy, clock: Clock, connections: int) -> None:
        self._http = http
        self._clock = clock
        self.connections = connections
        self._destination = lru_cache(_KNOWN_ADDRESSES)(policy.destination)
        self._signer = lru_cache(_KNOWN_ADDRESSES)(Signer)

    def destination(self, claim: Claim) -> str:
        """The host and port of the endpoint; one name for all addresses that will be refused."""
        try:
            found: Destination = self._destination(_endpoint(claim).address)
        except ForbiddenDestinationError:
            return "forbidden"
        return f"{found.host}:{found.port}"

    async def send(self, claim: Claim) -> Receipt:
        """POST the notification once; redirects are answers, not ways."""
        endpoint = _endpoint(claim)
        try:
            self._destination(endpoint.address)
            body = body_of(claim)
            headers = self._signed(claim, endpoint.secret, body)
            async with self._http.post(endpoint.address, data=body, headers=headers, allow_redirects=False) as response:
                receipt = self._answered(response)
                await _read_through(response)
                return receipt
        except (ForbiddenDestinationError, aiohttp.ClientError, TimeoutError) as error:
            return _translated(error)

    def _signed(self, claim: Claim, secret: str, body: bytes) -> dict[str, str]:
        delivery, now = str(claim.request.id), self._clock.now()
        return {
            **_HEADERS,
            "webhook-id": delivery,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer(secret).sign(delivery, now, body.decode()),
        }

    def _answered(self, response: aiohttp.ClientResponse) -> Receipt:
        status, detail = response.status, f"HTTP {response.status}"
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Receipt(AttemptOutcome.DELIVERED, detail=detail)
        if status == HTTPStatus.GONE:
            return Receipt(AttemptOutcome.FAILED, Reason.ENDPOINT_GONE, detail, gone=True)
        if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            limited = status == HTTPStatus.TOO_MANY_REQUESTS
            reason = Reason.RATE_LIMITED if limited else Reason.DESTINATION_UNAVAILABLE
            asked = retry.retry_after_seconds(response.headers.get("Retry-After"), self._clock.now())
            return Receipt(AttemptOutcome.RETRY, reason, detail, asked)
        return Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_REFUSED, detail)


@asynccontextmanager
async def open_sink(
    settings: Settings, clock: Clock, resolver: AbstractResolver | None = None
) -> AsyncIterator[WebhookSink]:
    """A sink with connections of its own; what `resolver` finds (the system's where none is given) is checked."""
    policy = destinations.policy(settings.allowed_private_hosts)
    checked = network.CheckedResolver(policy, resolver or network.SystemResolver())
    async with network.session(checked, settings.send_timeout_seconds, settings.webhook_connect_seconds) as http:
        yield WebhookSink(http, policy, clock, settings.webhook_connections)


def body_of(claim: Claim) -> bytes:
    """What a push endpoint is told: wire.md, tocsin.delivery.v1. `url` is the first related item's, if it has one."""
    request, (notice,) = claim.request, claim.notices
    content: dict[str, Any] = {
        "type": "tocsin.delivery.v1",
        "delivery_id": request.id,
        "notification_id": notice.id,
        "recipient": request.recipient,
        "name": notice.name,
        "description": notice.description,
        "importance": notice.importance,
        "class": notice.class_key,
        "url": next((item["url"] for item in notice.items if item.get("url")), None),
        "action_url": notice.action_url,
        "items": notice.items,
        "created_at": notice.created_at,
    }
    return orjson.dumps(content)


def _endpoint(claim: Claim) -> Webhook:
    if not isinstance(claim.target, Webhook):
        raise TypeError("the webhook sink was given a claim for another channel")
    return claim.target


async def _read_through(response: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end; what it says does not matter, and its status is already known."""
    if response.content.at_eof() or (response.content_length or 0) > _LARGEST_ANSWER_BYTES:
        return
    try:
        await response.content.readexactly(_LARGEST_ANSWER_BYTES)
    except (EOFError, aiohttp.ClientError, TimeoutError):
        return


def _translated(error: Exception) -> Receipt:
    """What a failed request means: before the connection stood nothing arrived, after that nobody knows."""
    said = type(error).__name__
    if isinstance(error, ForbiddenDestinationError):
        return Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_FORBIDDEN, str(error))
    if isinstance(error, aiohttp.InvalidURL):
        return Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_REFUSED, said)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Receipt(AttemptOutcome.RETRY, Reason.TIMEOUT, said)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Receipt(AttemptOutcome.RETRY, Reason.DESTINATION_UNAVAILABLE, said)
    if isinstance(error, TimeoutError):
        return Receipt(AttemptOutcome.AMBIGUOUS, Reason.TIMEOUT, said)
    return Receipt(AttemptOutcome.AMBIGUOUS, Reason.AMBIGUOUS, said)
