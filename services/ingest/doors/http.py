"""The native HTTP door: who asks, how much, what; then the one validator, then Kafka, then the answer."""

import asyncio
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from services.ingest import reading
from services.ingest.acceptance import Asked, Refused
from services.ingest.admission import Admitted, Entrant, Verdict
from services.ingest.doors import http_answers, http_requests
from services.ingest.doors.http_entry import HttpEntry
from shared import access
from shared.contract.messages import FieldError
from shared.contract.outcomes import Door, Reason
from shared.runtime.problems import ProblemError

_EXAMINED_AT_ONCE = 50
"""A batch lets other requests through after so many of its notifications."""


class HttpDoor:
    """Answers `POST /v1/notifications` and `POST /v1/notifications/batch`."""

    def __init__(self, entry: HttpEntry) -> None:
        self._entry = entry

    async def notification(self, request: Request) -> Response:
        """Accept one notification: 202 once Kafka has it.

        Raises:
            ProblemError: 401, 403, 413, 415 or 422, with every error.
            TransientError: PostgreSQL or Kafka is away, or too much is under way; answered as 503.
        """
        with self._entry.inside():
            key = await self._key(request)
            headers = http_requests.headers_of(request)
            raw = await http_requests.body_of(request)
            asked = reading.read(http_requests.envelope(raw, headers))
            outcome = await self._entry.outcome(self._entrant(asked, key), key)
        if isinstance(outcome, Refused):
            raise http_answers.problem(outcome)
        return http_answers.json_response(HTTPStatus.ACCEPTED, http_answers.answer(outcome))

    async def batch(self, request: Request) -> Response:
        """Accept up to 1,000 notifications, each on its own; errors of the request itself as `notification`."""
        with self._entry.inside():
            key = await self._key(request)
            http_requests.refuse_single_modes(http_requests.headers_of(request))
            elements = http_requests.elements_of(await http_requests.body_of(request))
            results = await self._results(elements, key)
        return http_answers.json_response(HTTPStatus.OK, {"results": results})

    async def _key(self, request: Request) -> access.StoredKey:
        key = await self._entry.key(request)
        if not key.may_publish():
            raise ProblemError(HTTPStatus.FORBIDDEN, "this API key lacks the scope publish or publish:<class>")
        return key

    async def _results(self, elements: Sequence[Any], key: access.StoredKey) -> list[dict[str, Any]]:
        entrants = []
        for number, element in enumerate(elements):
            entrants.append(self._entrant(Asked(element, {}), key))
            if number % _EXAMINED_AT_ONCE == 0:
                await asyncio.sleep(0)
        deciding = [each for each in entrants if isinstance(each, Entrant)]
        decided: Iterator[Verdict] = iter(await self._entry.admission.decide(deciding))
        verdicts: list[Verdict] = [next(decided) if isinstance(each, Entrant) else each for each in entrants]
        admitted = [verdict for verdict in verdicts if isinstance(verdict, Admitted)]
        answers = iter(await self._entry.admission.send(admitted))
        results = []
        for verdict in verdicts:
            final = (next(answers) or verdict) if isinstance(verdict, Admitted) else verdict
            if isinstance(final, Refused):
                self._entry.refuse(final, key.tenant, key.id)
            elif isinstance(final, Admitted):
                self._entry.admission.count(Door.HTTP, final)
            results.append(http_answers.result(final))
        return results

    def _entrant(self, asked: Asked | Refused, key: access.StoredKey) -> Entrant | Refused:
        entrant = self._entry.entrant(asked, key)
        if isinstance(entrant, Refused) or key.allows_class(entrant.valid.request.class_key):
            return entrant
        class_key = entrant.valid.request.class_key
        detail = f"this API key may not publish notifications of class {class_key}; it lacks publish:{class_key}"
        return Refused(Reason.FORBIDDEN, (FieldError(pointer="/class", code="forbidden", detail=detail),))
