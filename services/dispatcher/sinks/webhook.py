"""Push by webhook: a POST signed as Standard Webhooks says, and what its answer means."""

import base64
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from aiohttp.abc import AbstractResolver

from services.dispatcher.delivery.ports import Claim, Receipt, Webhook
from services.dispatcher.settings import Settings
from services.dispatcher.sinks import network, posting
from services.dispatcher.sinks.connection import Answer, MalformedAnswerError, ServerDisconnectedError
from services.dispatcher.sinks.posting import ConnectError, ConnectTimeoutError, Posting
from shared import destinations, retry
from shared.clock import Clock
from shared.contract.outcomes import AttemptOutcome, Reason
from shared.destinations import Destination, ForbiddenDestinationError, Policy

_KNOWN_ADDRESSES = 10_000

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers below 500 that ask for a repeat (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4)."""

_NOBODY_KNOWS = (TimeoutError, ServerDisconnectedError, MalformedAnswerError)

_HEAD = "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nUser-Agent: Tocsin/1\r\n"
_USUAL_PORTS = {"http": 80, "https": 443}
_PLAIN = "-._~!$&'()*+,;=:@/?%"
"""What stays as it is in a path and a query beside letters and digits (RFC 3986 3.3, 3.4)."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where an address leads: the destination, and the head of every request to it without what the body decides."""

    destination: Destination
    head: bytes


class WebhookSink:
    """Sends notifications to push endpoints of kind webhook."""

    single = False

    def __init__(self, http: Posting, policy: Policy, clock: Clock, connections: int) -> None:
        self._http = http
        self._clock = clock
        self.connections = connections
        self._way = lru_cache(_KNOWN_ADDRESSES)(lambda address: _way(policy.destination(address), address))

    def destination(self, claim: Claim) -> str:
        """The host and port of the endpoint; one name for all addresses that will be refused."""
        try:
            found = self._way(_endpoint(claim).address).destination
        except ForbiddenDestinationError:
            return "forbidden"
        return f"{found.host}:{found.port}"

    async def send(self, claim: Claim) -> Receipt:
        """POST the notification once; redirects are answers, not ways."""
        endpoint = _endpoint(claim)
        try:
            way = self._way(endpoint.address)
            request = signed(way.head, str(claim.request.id), endpoint.secret, self._seconds(), body_of(claim))
            return self._answered(await self._http.ask(way.destination, request))
        except (ForbiddenDestinationError, ConnectError, *_NOBODY_KNOWS) as error:
            return _translated(error)

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())

    def _answered(self, answer: Answer) -> Receipt:
        status, detail = answer.status, f"HTTP {answer.status}"
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Receipt(AttemptOutcome.DELIVERED, detail=detail)
        if status == HTTPStatus.GONE:
            return Receipt(AttemptOutcome.FAILED, Reason.ENDPOINT_GONE, detail, gone=True)
        if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            limited = status == HTTPStatus.TOO_MANY_REQUESTS
            reason = Reason.RATE_LIMITED if limited else Reason.DESTINATION_UNAVAILABLE
            asked = retry.retry_after_seconds(answer.retry_after, self._clock.now())
            return Receipt(AttemptOutcome.RETRY, reason, detail, asked)
        return Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_REFUSED, detail)


@asynccontextmanager
async def open_sink(
    settings: Settings, clock: Clock, resolver: AbstractResolver | None = None
) -> AsyncIterator[WebhookSink]:
    """A sink with connections of its own; what `resolver` finds (the system's where none is given) is checked."""
    policy = destinations.policy(settings.allowed_private_hosts)
    checked = network.KeptResolver(network.CheckedResolver(policy, resolver or network.SystemResolver()))
    async with posting.opened(checked, settings.send_timeout_seconds, settings.webhook_connect_seconds) as http:
        yield WebhookSink(http, policy, clock, settings.webhook_connections)


def signed(head: bytes, delivery: str, secret: str, now: int, body: bytes) -> bytes:
    """A whole request, signed as Standard Webhooks says: HMAC-SHA256 over id, seconds since 1970 and body."""
    signature = hmac.digest(_key(secret), b"%s.%d.%s" % (delivery.encode(), now, body), "sha256")
    return b"%swebhook-id: %s\r\nwebhook-timestamp: %d\r\nwebhook-signature: v1,%s\r\nContent-Length: %d\r\n\r\n%s" % (
        head, delivery.encode(), now, base64.b64encode(signature), len(body), body,
    )  # fmt: skip


@lru_cache(_KNOWN_ADDRESSES)
def _key(secret: str) -> bytes:
    """The key in a secret, whose base64 may come without its padding."""
    return base64.b64decode(secret.removeprefix("whsec_") + "==")


def _way(destination: Destination, address: str) -> Way:
    """Addresses are ASCII without spaces; what RFC 3986 does not allow in one even so is escaped, escapes stay."""
    parts = urlsplit(address)
    target = quote(parts.path or "/", safe=_PLAIN) + (f"?{quote(parts.query, safe=_PLAIN)}" if parts.query else "")
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    if destination.port != _USUAL_PORTS[destination.scheme]:
        host = f"{host}:{destination.port}"
    return Way(destination, _HEAD.format(target=target, host=host).encode())


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


def _translated(error: Exception) -> Receipt:
    """What a failed request means: before the connection stood nothing arrived, after that nobody knows."""
    said = type(error).__name__
    if isinstance(error, ForbiddenDestinationError):
        return Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_FORBIDDEN, str(error))
    if isinstance(error, ConnectTimeoutError):
        return Receipt(AttemptOutcome.RETRY, Reason.TIMEOUT, said)
    if isinstance(error, ConnectError):
        return Receipt(AttemptOutcome.RETRY, Reason.DESTINATION_UNAVAILABLE, said)
    if isinstance(error, TimeoutError):
        return Receipt(AttemptOutcome.AMBIGUOUS, Reason.TIMEOUT, said)
    return Receipt(AttemptOutcome.AMBIGUOUS, Reason.AMBIGUOUS, said)
