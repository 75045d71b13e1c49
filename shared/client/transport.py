"""HTTP with patience: what may work later is tried again, no sooner than the other side asked for."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import aiohttp
from pydantic import ValidationError

from shared import retry
from shared.client.errors import ClientError, RefusedError, UnavailableError
from shared.contract.messages import FieldError
from shared.retry import Backoff

_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Nothing was done: a repeat is safe whatever was asked."""

_UNSURE = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""A proxy's answers for a request that may have arrived: only what has an identity is repeated."""


_BACKOFF = Backoff(first_seconds=0.25, longest_seconds=10.0)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try: attempts in all, seconds for one of them, and the waits between."""

    attempts: int = 8
    timeout_seconds: float = 15.0
    backoff: Backoff = _BACKOFF

    def wait_seconds(self, attempt: int, retry_after_seconds: float | None = None) -> float:
        """How long to wait after attempt number `attempt`, no less than the other side asked for."""
        chance = random.random()  # noqa: S311 - spreads retries, guards nothing
        return self.backoff.no_sooner_than(attempt, chance, retry_after_seconds)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `repeatable` says that a repeat of one that arrived changes nothing.

    `body` is sent as it is where it is bytes, else as JSON. `own_errors`: a JSON object is the answer whatever its
    status, once patience with a busy Tocsin has run out.
    """

    method: str
    path: str
    repeatable: bool
    body: Any = None
    content_type: str = "application/json"
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    own_errors: bool = False


class _TryLaterError(Exception):
    def __init__(self, reason: str, retry_after_seconds: float | None = None, answer: Any = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
        self.answer = answer


class Transport:
    """One service's API as one caller sees it; close it when done."""

    def __init__(self, base_url: str, api_key: str, patience: Patience) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def answer(self, call: Call) -> Any:
        """The JSON of a successful answer, None where it has no body; of a 303 `{"location": …}`, not followed.

        Raises:
            RefusedError: the answer is an error that a repeat would not change.
            UnavailableError: patience ran out.
        """
        payload = call.body if isinstance(call.body, bytes | None) else json.dumps(call.body).encode()
        attempt = 1
        while True:
            try:
                return await self._once(call, payload)
            except _TryLaterError as later:
                if attempt >= self._patience.attempts:
                    if later.answer is not None:
                        return later.answer
                    raise UnavailableError(f"{call.method} {self._base_url}{call.path}: {later}") from later
                wait = self._patience.wait_seconds(attempt, later.retry_after_seconds)
            await asyncio.sleep(wait)
            attempt += 1

    async def _once(self, call: Call, payload: bytes | None) -> Any:
        headers = dict(call.headers or {}) | ({"Content-Type": call.content_type} if payload is not None else {})
        try:
            async with self._connections().request(
                call.method, self._base_url + call.path, data=payload, params=call.query, headers=headers,
                allow_redirects=False,
            ) as response:  # fmt: skip
                return _answer_of(response, await response.read(), call)
        except aiohttp.ClientConnectorError as error:
            raise _TryLaterError(f"cannot connect ({error.os_error.strerror or error.os_error})") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            said = f"{type(error).__name__}: the answer did not come"
            if call.repeatable:
                raise _TryLaterError(said) from error
            raise UnavailableError(f"{call.method} {call.path}: {said}; look whether it happened") from error

    async def lines(self, call: Call) -> AsyncIterator[bytes]:
        """The lines of a successful answer as they come, however long they take in all.

        Raises:
            RefusedError: the answer is an error.
            UnavailableError: it did not begin, or was cut off.
        """
        patience = aiohttp.ClientTimeout(sock_connect=self._patience.timeout_seconds,
                                         sock_read=self._patience.timeout_seconds)  # fmt: skip
        try:
            async with self._connections().request(
                call.method, self._base_url + call.path, params=call.query, timeout=patience, allow_redirects=False
            ) as response:
                if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise _refusal(response.status, await response.read())
                rest = b""
                async for chunk in response.content.iter_any():
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        yield line
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(f"{call.method} {call.path}: {type(error).__name__}; ask again") from error

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._patience.timeout_seconds)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self._session


def _answer_of(response: aiohttp.ClientResponse, content: bytes, call: Call) -> Any:
    own = _object(content) if call.own_errors else None
    if response.status in _LATER or (response.status in _UNSURE and call.repeatable):
        raise _TryLaterError(
            str(_refusal(response.status, content)),
            retry.retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC)),
            own,
        )
    if own is not None:
        return own
    if response.status == HTTPStatus.SEE_OTHER:
        return {"location": response.headers["Location"]}
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(response.status, content)
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise ClientError(f"{call.method} {call.path} answered no JSON: is this address Tocsin's?") from error


def _object(content: bytes) -> dict[str, Any] | None:
    """The JSON object of an answer, None where it is something else."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _refusal(status: int, content: bytes) -> RefusedError:
    """An error answer as an exception, also where something between answered in a shape of its own."""
    try:
        problem = json.loads(content)
        errors = [FieldError.model_validate(each) for each in problem.get("errors", ())]
        return RefusedError(status, problem.get("detail") or problem.get("title") or "", errors)
    except (ValueError, AttributeError, TypeError, ValidationError):
        return RefusedError(status, content[:200].decode("utf-8", "replace").strip() or HTTPStatus(status).phrase)
