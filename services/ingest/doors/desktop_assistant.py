"""The Desktop Assistant's HTTP door (seed 000): its own roles and its own shape, errors included."""

import math
from http import HTTPStatus

import structlog
from fastapi import Request, Response

from services.ingest.acceptance import Refused
from services.ingest.admission import Admitted, Entrant
from services.ingest.dialects import desktop_assistant as dialect
from services.ingest.directory import Directory
from services.ingest.doors import http_requests
from services.ingest.doors.http_entry import HttpEntry
from services.ingest.settings_cache import SettingsCache
from shared.access import Scope, StoredKey
from shared.contract.outcomes import Reason
from shared.errors import TransientError, UnacknowledgedError
from shared.runtime.problems import ProblemError

_log = structlog.get_logger()

_NOTHING = "nothing was queued: try again"
_UNKNOWN = "whether it was queued is unknown; repeated under the Idempotency-Key that it had, it is not queued twice"

_STATUS = {
    Reason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.KEY_CONFLICT: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class DesktopAssistantDoor:
    """Answers `POST /api/sn_dex_desktop/notifications`."""

    def __init__(self, entry: HttpEntry, cache: SettingsCache, directory: Directory) -> None:
        self._entry = entry
        self._cache = cache
        self._directory = directory

    async def notification(self, request: Request) -> Response:
        """Queue one notification, or say in the dialect's own shape why nothing was queued."""
        try:
            with self._entry.inside():
                key = await self._entry.key(request)
                return await self._queued(await self._asked(request, key), key)
        except ProblemError as problem:
            headers = {"WWW-Authenticate": "Bearer"} if problem.status == HTTPStatus.UNAUTHORIZED else {}
            return _answer(problem.status, problem.detail, headers=headers)
        except Exception as error:  # noqa: BLE001 - what nobody foresaw has the source's shape too
            return _failed(error, _NOTHING)

    async def _asked(self, request: Request, key: StoredKey) -> Entrant | Refused:
        _require_role(key)
        headers = http_requests.headers_of(request)
        keys = http_requests.idempotency_keys(headers)
        asked = dialect.read(await http_requests.body_of(request), keys, self._cache.properties(key.tenant))
        return await self._known(self._entry.entrant(asked, key))

    async def _queued(self, entrant: Entrant | Refused, key: StoredKey) -> Response:
        try:
            outcome = await self._entry.outcome(entrant, key)
        except Exception as error:  # noqa: BLE001 - as above; Kafka may have it by now
            certain = isinstance(error, TransientError) and not isinstance(error, UnacknowledgedError)
            return _failed(error, _NOTHING if certain else _UNKNOWN)
        if isinstance(outcome, Refused):
            return _answer(_STATUS.get(outcome.reason, HTTPStatus.BAD_REQUEST), dialect.message_of(outcome))
        return _answer(HTTPStatus.OK, "the notification is queued", outcome)

    async def _known(self, entrant: Entrant | Refused) -> Entrant | Refused:
        if isinstance(entrant, Refused):
            return entrant
        unknown = await self._directory.unknown(entrant.caller.tenant, entrant.valid.request.recipients)
        return entrant.but(dialect.unknown_recipients(unknown))


def _require_role(key: StoredKey) -> None:
    """A5: the source's roles are scopes of a key; `publish` alone is not enough."""
    if not key.allows(Scope.DESKTOP_ASSISTANT):
        detail = f"this API key has neither the role {Scope.DESKTOP_ASSISTANT} nor {Scope.ADMIN}"
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)


def _failed(error: Exception, done: str) -> Response:
    """503 while something is away, else 500, which is logged; `done` says what is certain."""
    if isinstance(error, TransientError):
        headers = {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds or 1.0)))}
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}; {done}", headers=headers)
    _log.error("request_failed_unforeseen", error_type=type(error).__name__, exc_info=error)
    detail = f"something unforeseen went wrong here and was logged; {done}; report it if it stays"
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _answer(
    status: HTTPStatus, message: str, admitted: Admitted | None = None, headers: dict[str, str] | None = None
) -> Response:
    """The dialect's answer; its responseCode is the HTTP status too."""
    metadata = dialect.Metadata(notification_id=admitted.identity.notification_id if admitted else None)
    said = dialect.Answer(responseCode=status, message=message, metadata=metadata)
    content = said.model_dump_json(exclude_none=True)
    return Response(content, status, headers, media_type="application/json")
