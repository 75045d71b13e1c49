"""What every HTTP door does, whatever its dialect: bound what is under way, know the key, decide, send, count."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

import structlog
from fastapi import Request

from services.ingest import acceptance, admission
from services.ingest.acceptance import Asked, Caller, Refused
from services.ingest.admission import Admission, Admitted, Entrant
from services.ingest.metrics import Metrics
from services.ingest.settings_cache import SettingsCache
from shared import access
from shared.clock import Clock
from shared.contract import ids
from shared.contract.outcomes import Door, Reason
from shared.errors import OverloadedError, TransientError
from shared.runtime.problems import ProblemError

_log = structlog.get_logger()


class HttpEntry:
    """The way in that the HTTP doors share; `admission` decides and sends for all of them."""

    def __init__(
        self, cache: SettingsCache, entry: Admission, metrics: Metrics, clock: Clock, max_in_flight: int
    ) -> None:
        self.admission = entry
        self._cache = cache
        self._metrics = metrics
        self._clock = clock
        self._room = max_in_flight

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Bounds what is under way: memory must not grow with the callers' impatience.

        Raises:
            OverloadedError: too much is.
        """
        if self._room == 0:
            self._metrics.overloaded.inc()
            raise OverloadedError("too many requests are under way here", Reason.RATE_LIMITED, 1.0)
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1

    async def key(self, request: Request) -> access.StoredKey:
        """The API key behind a request.

        Raises:
            ProblemError: 401, there is none or it opens nothing.
            TransientError: nobody can say while PostgreSQL is away.
        """
        presented = access.bearer(request.headers.get("authorization"))
        if presented is None:
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "send an API key as `Authorization: Bearer tk_…`")
        key = await self._cache.key_opened_by(presented)
        if key is None:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED, "this API key is unknown, has expired or was revoked; make or rotate one"
            )
        return key

    def entrant(self, asked: Asked | Refused, key: access.StoredKey) -> Entrant | Refused:
        """What a key asks, examined."""
        if isinstance(asked, Refused):
            return asked
        examined = acceptance.examine(asked, self._clock.now())
        if isinstance(examined, Refused):
            return examined
        return admission.entrant(examined, Caller(key.tenant, key.id, Door.HTTP), ids.fresh)

    async def outcome(self, entrant: Entrant | Refused, key: access.StoredKey) -> Admitted | Refused:
        """Decide and send one request; counted and logged.

        Raises:
            TransientError: PostgreSQL or Kafka is away.
        """
        if isinstance(entrant, Refused):
            self.refuse(entrant, key.tenant, key.id)
            return entrant
        return await self.decided(entrant)

    async def decided(self, entrant: Entrant) -> Admitted | Refused:
        """As `outcome`, of a request that is valid."""
        verdict = (await self.admission.decide([entrant]))[0]
        if isinstance(verdict, TransientError):
            raise verdict
        if isinstance(verdict, Admitted):
            verdict = (await self.admission.send([verdict]))[0] or verdict
        if isinstance(verdict, Refused):
            self.refuse(verdict, entrant.caller.tenant, entrant.caller.owner)
        else:
            self.admission.count(Door.HTTP, verdict)
        return verdict

    def refuse(self, refused: Refused, tenant: str, owner: str) -> None:
        """Count and log a refusal of what `owner` asked."""
        self.admission.count(Door.HTTP, refused)
        _log.info("request_refused", door=Door.HTTP, tenant=tenant, owner=owner, reason=refused.reason,
                  codes=sorted({error.code for error in refused.errors}))  # fmt: skip
