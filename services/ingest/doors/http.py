"""The HTTP door: who asks, how much, what; then the one validator, then Kafka, then the answer."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response

from services.ingest import acceptance, admission, reading
from services.ingest.acceptance import Asked, Caller, Refused, Valid
from services.ingest.admission import Admission, Admitted, Entrant, Verdict
from services.ingest.doors import http_answers, http_requests
from services.ingest.metrics import Metrics
from services.ingest.settings_cache import SettingsCache
from shared import access
from shared.clock import Clock
from shared.contract import ids
from shared.contract.messages import FieldError
from shared.contract.outcomes import Door, Reason
from shared.errors import OverloadedError, TransientError
from shared.runtime.problems import ProblemError

_log = structlog.get_logger()

_EXAMINED_AT_ONCE = 50
"""A batch lets other requests through after so many of its notifications."""


class HttpDoor:
    """Answers `POST /v1/notifications` and `POST /v1/notifications/batch`."""

    def __init__(
        self, cache: SettingsCache, entry: Admission, metrics: Metrics, clock: Clock, max_in_flight: int
    ) -> None:
        self._cache = cache
        self._admission = entry
        self._metrics = metrics
        self._clock = clock
        self._room = max_in_flight

    async def notification(self, request: Request) -> Response:
        """Accept one notification: 202 once Kafka has it.

        Raises:
            ProblemError: 401, 403, 413, 415 or 422, with every error.
            TransientError: PostgreSQL or Kafka is away, or too much is under way; answered as 503.
        """
        with self._inside():
            key = await self._key(request)
            headers = http_requests.headers_of(request)
            raw = await http_requests.body_of(request)
            outcome = await self._outcome(reading.read(http_requests.envelope(raw, headers)), key)
        if isinstance(outcome, Refused):
            raise http_answers.problem(outcome)
        return http_answers.json_response(HTTPStatus.ACCEPTED, http_answers.answer(outcome))

    async def batch(self, request: Request) -> Response:
        """Accept up to 1,000 notifications, each on its own; errors of the request itself as `notification`."""
        with self._inside():
            key = await self._key(request)
            http_requests.refuse_single_modes(http_requests.headers_of(request))
            elements = http_requests.elements_of(await http_requests.body_of(request))
            results = await self._results(elements, key)
        return http_answers.json_response(HTTPStatus.OK, {"results": results})

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Bounds what is under way: memory must not grow with the callers' impatience."""
        if self._room == 0:
            self._metrics.overloaded.inc()
            raise OverloadedError("too many requests are under way here", Reason.RATE_LIMITED, 1.0)
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1

    async def _key(self, request: Request) -> access.StoredKey:
        presented = access.bearer(request.headers.get("authorization"))
        if presented is None:
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "send an API key as `Authorization: Bearer tk_…`")
        key = await self._cache.key_opened_by(presented)
        if key is None:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED, "this API key is unknown, has expired or was revoked; make or rotate one"
            )
        if not any(scope in (access.Scope.PUBLISH, access.Scope.ADMIN) or _names_class(scope) for scope in key.scopes):
            raise ProblemError(HTTPStatus.FORBIDDEN, "this API key lacks the scope publish or publish:<class>")
        return key

    async def _outcome(self, asked: Asked | Refused, key: access.StoredKey) -> Admitted | Refused:
        entrant = self._entrant(asked, key)
        if isinstance(entrant, Refused):
            self._refuse(entrant, key)
            return entrant
        verdict = (await self._admission.decide([entrant]))[0]
        if isinstance(verdict, TransientError):
            raise verdict
        if isinstance(verdict, Admitted):
            verdict = (await self._admission.send([verdict]))[0] or verdict
        if isinstance(verdict, Refused):
            self._refuse(verdict, key)
        else:
            self._admission.count(Door.HTTP, verdict)
        return verdict

    async def _results(self, elements: Sequence[Any], key: access.StoredKey) -> list[dict[str, Any]]:
        entrants = []
        for number, element in enumerate(elements):
            entrants.append(self._entrant(Asked(element, {}), key))
            if number % _EXAMINED_AT_ONCE == 0:
                await asyncio.sleep(0)
        deciding = [each for each in entrants if isinstance(each, Entrant)]
        decided: Iterator[Verdict] = iter(await self._admission.decide(deciding))
        verdicts: list[Verdict] = [next(decided) if isinstance(each, Entrant) else each for each in entrants]
        admitted = [verdict for verdict in verdicts if isinstance(verdict, Admitted)]
        answers = iter(await self._admission.send(admitted))
        results = []
        for verdict in verdicts:
            final = (next(answers) or verdict) if isinstance(verdict, Admitted) else verdict
            if isinstance(final, Refused):
                self._refuse(final, key)
            elif isinstance(final, Admitted):
                self._admission.count(Door.HTTP, final)
            results.append(http_answers.result(final))
        return results

    def _entrant(self, asked: Asked | Refused, key: access.StoredKey) -> Entrant | Refused:
        examined: Valid | Refused = (
            asked if isinstance(asked, Refused) else acceptance.examine(asked, self._clock.now())
        )
        if isinstance(examined, Refused):
            return examined
        class_key = examined.request.class_key
        if not key.allows_class(class_key):
            detail = f"this API key may not publish notifications of class {class_key}; it lacks publish:{class_key}"
            return Refused(Reason.FORBIDDEN, (FieldError(pointer="/class", code="forbidden", detail=detail),))
        return admission.entrant(examined, Caller(key.tenant, key.id, Door.HTTP), ids.fresh)

    def _refuse(self, refused: Refused, key: access.StoredKey) -> None:
        self._admission.count(Door.HTTP, refused)
        _log.info("request_refused", door=Door.HTTP, tenant=key.tenant, owner=key.id, reason=refused.reason,
                  codes=sorted({error.code for error in refused.errors}))  # fmt: skip


def _names_class(scope: str) -> bool:
    return scope.startswith(f"{access.Scope.PUBLISH}:")
