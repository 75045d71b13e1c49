"""The HTTP door of sendNotification (seed 001): its headers, its answers, its errors by their names."""

import asyncio
import hmac
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeVar

import orjson
import structlog
from fastapi import Request, Response

from services.ingest import admission, local_times
from services.ingest.acceptance import Caller, Refused
from services.ingest.admission import Admitted
from services.ingest.dialects.sam import faults, meaning, reading, roles, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Exceptions, Fault, invalid
from services.ingest.dialects.sam.roles import KEY_HEADER, TOKEN_HEADER, Sender
from services.ingest.doors import http_requests
from services.ingest.doors.http_entry import HttpEntry
from services.ingest.patience import in_time
from services.ingest.sam_store import Presented, SamStore
from services.ingest.send_notifications import Asked, Key, Meant, SendNotifications
from shared import access, owners, sam_access
from shared.clock import Clock
from shared.contract import ids
from shared.contract.outcomes import Door, Reason
from shared.errors import TransientError, UnacknowledgedError
from shared.runtime.large_bodies import LargeBodies
from shared.runtime.problems import ProblemError
from shared.runtime.secret_file import SecretFile

_log = structlog.get_logger()

T = TypeVar("T")

IDEMPOTENCY_KEY = "Idempotency-Key"

_UNKNOWN = "whether it was sent is unknown; repeated under the Idempotency-Key that it had, it is not sent twice"

_MOST_TOLD = 100
"""Errors in one answer."""


class RefusedError(Exception):
    """Nothing was done, because of these faults; `retry_after_seconds` where a repeat may help."""

    def __init__(
        self, found: Sequence[Fault], status: HTTPStatus | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(found[0].message)
        self.faults = found
        self.status = status or faults.STATUS[found[0].name]
        self.retry_after_seconds = retry_after_seconds


class Senders:
    """Knows who presents a token and a company's key."""

    def __init__(self, store: SamStore, secret: SecretFile) -> None:
        self._store = store
        self._secret = secret

    async def of(self, request: Request) -> Sender:
        """Who sends a request, with a role that may send.

        Raises:
            RefusedError: a header is missing or opens nothing, or the user may not send.
            TransientError: nobody can say while PostgreSQL is away.
        """
        presented = self._presented(request)
        found = await in_time(self._store.found(presented))
        if found.token is None or not hmac.compare_digest(found.token[2], presented.token):
            raise _unauthorised(TOKEN_HEADER, "this token is unknown, has expired or was revoked; make a new one")
        if found.key is None or not hmac.compare_digest(found.key[2], presented.company_key):
            raise _unauthorised(KEY_HEADER, "this company key is unknown or was revoked; make a new one")
        tenant, user, _ = found.token
        if found.key[0] != tenant:
            raise RefusedError([Fault(Exceptions.INSUFFICIENT_PERMISSIONS, KEY_HEADER, "belongs to another tenant "
                                      "than the token's user")])  # fmt: skip
        sender = await in_time(self._store.sender(tenant, user, found.key[1]))
        if sender is None:
            raise _unauthorised(TOKEN_HEADER, "the directory has no user of this token any more")
        if (fault := roles.may_send(sender)) is not None:
            raise RefusedError([fault])
        return sender

    def _presented(self, request: Request) -> Presented:
        secret = self._secret.current()
        token, key = request.headers.get(TOKEN_HEADER, ""), request.headers.get(KEY_HEADER, "")
        token_id, company_key = sam_access.token_id(token), sam_access.company_key(key)
        if token_id is None:
            raise _unauthorised(TOKEN_HEADER, "is no token" if token else "this header is required")
        if company_key is None:
            raise _unauthorised(KEY_HEADER, "is no UUID" if key else "this header is required")
        return Presented(token_id, access.key_hmac(token, secret), access.key_hmac(company_key, secret))


class SamDoor:
    """Answers `POST /rest/notification/send` and `GET /rest/refdata/timezones`."""

    def __init__(
        self, entry: HttpEntry, senders: Senders, notifications: SendNotifications, large: LargeBodies, clock: Clock
    ) -> None:
        self._entry = entry
        self._senders = senders
        self._notifications = notifications
        self._large = large
        self._clock = clock

    async def send(self, request: Request) -> Response:
        """Send or schedule one notification; every error has the source's shape, and says whether nothing was done."""
        try:
            with self._entry.inside():
                return await self._sent(request)
        except RefusedError as refused:
            return _refusal(refused)
        except ProblemError as problem:
            return _refusal(RefusedError([invalid("", problem.detail)], problem.status))
        except TransientError as error:
            return _refusal(_away(error))
        except Exception as error:  # noqa: BLE001 - what nobody foresaw has the source's shape too
            _log.error("request_failed_unforeseen", error_type=type(error).__name__, exc_info=error)
            detail = f"something unforeseen went wrong here and was logged; {_UNKNOWN}; report it if it stays"
            return _refusal(RefusedError([Fault(Exceptions.INTERNAL, "", detail)]))

    async def timezones(self, _request: Request) -> Response:
        """The zones that scheduleTimezoneId may name, with their offsets now; open to everybody, as the zones are."""
        now = self._clock.now()
        zones = [
            {"timezoneId": zone, "utcOffsetMinutes": local_times.offset_minutes(zone, now)}
            for zone in sorted(local_times.zones())
        ]
        return Response(orjson.dumps(zones), HTTPStatus.OK, media_type="application/json")

    async def _sent(self, request: Request) -> Response:
        sender = await self._senders.of(request)
        key = self._held_to(sender, _key_of(request))
        meant = await self._meant(request, sender, key)  # and a large emailBody is out of memory
        return await self._answered(meant, sender)

    async def _meant(self, request: Request, sender: Sender, key: str | None) -> Meant:
        async with self._large.body_of(request, reading.MAX_BYTES) as raw:
            sent, payload_hash = self._held_to(sender, await _read(raw, keyed=key is not None))
            known = None if key is None else Key((meaning.SOURCE, sender.company, sender.user, key), payload_hash)
            return self._held_to(sender, await self._notifications.meant(Asked(sender.tenant, sent, sender, key=known)))

    async def _answered(self, meant: Meant, sender: Sender) -> Response:
        caller = Caller(sender.tenant, owners.of_user(sender.user), Door.HTTP)
        outcome = await self._entry.decided(admission.entrant(meant.valid, caller, ids.fresh))
        if isinstance(outcome, Refused):
            raise _refused(outcome, meant)
        return Response(orjson.dumps(_answer(meant, outcome)), HTTPStatus.OK, media_type="application/json")

    def _held_to(self, sender: Sender, found: T | list[Fault]) -> T:
        """What is not at fault; faults are counted, logged and raised as RefusedError."""
        if not isinstance(found, list):
            return found
        self._entry.admission.count(Door.HTTP, Refused(_reason(found), faults.as_field_errors(found)))
        _log.info("request_refused", door=Door.HTTP, dialect="sam", tenant=sender.tenant, user=sender.user,
                  codes=sorted({fault.name for fault in found}))  # fmt: skip
        raise RefusedError(found)


def _key_of(request: Request) -> str | list[Fault] | None:
    """The idempotency key, None without, or what is wrong with it."""
    try:
        key = http_requests.idempotency_key(request)
    except ProblemError as problem:
        return [invalid(IDEMPOTENCY_KEY, problem.detail)]
    return None if key is None else rules.key_faults(IDEMPOTENCY_KEY, key) or key


async def _read(raw: bytearray, *, keyed: bool) -> tuple[SendNotification, bytes] | list[Fault]:
    """The body and its hash (empty unless `keyed`), read off the event loop where that takes long.

    A large `raw` is given back empty.
    """
    if len(raw) <= reading.LARGEST_AT_ONCE:
        return _understood(raw, keyed=keyed)
    return await asyncio.to_thread(_understood, raw, keyed=keyed)


def _understood(raw: bytearray, *, keyed: bool) -> tuple[SendNotification, bytes] | list[Fault]:
    if keyed:
        return reading.read_hashed(raw)
    found = reading.read(raw)
    return found if isinstance(found, list) else (found, b"")


def _answer(meant: Meant, outcome: Admitted) -> int | dict[str, int | None]:
    """A bare number in version 2, from version 3 on the schedule's id; of a repeat those of then."""
    identity, count = outcome.identity, meant.valid.answered_count
    if count is None:
        return {"notificationScheduleId": identity.schedule_id}
    return count if identity.answered_count is None else identity.answered_count


def _refused(outcome: Refused, meant: Meant) -> RefusedError:
    if outcome.reason is Reason.KEY_CONFLICT:
        return RefusedError(
            [invalid(IDEMPOTENCY_KEY, error.detail) for error in outcome.errors], HTTPStatus.UNPROCESSABLE_ENTITY
        )
    if outcome.reason is Reason.INVALID and meant.late:
        return RefusedError(meant.late)
    return RefusedError([invalid("", error.detail) for error in outcome.errors])


def _reason(found: Sequence[Fault]) -> Reason:
    forbidden = any(fault.name is Exceptions.INSUFFICIENT_PERMISSIONS for fault in found)
    return Reason.FORBIDDEN if forbidden else Reason.INVALID


def _unauthorised(header: str, detail: str) -> RefusedError:
    return RefusedError([Fault(Exceptions.INVALID_AUTH_TOKEN, header, detail)])


def _away(error: TransientError) -> RefusedError:
    """The directory is the source's cache service; what else is away is internal."""
    name = Exceptions.CACHE_SERVICE if error.reason is Reason.POSTGRES_UNAVAILABLE else Exceptions.INTERNAL
    done = _UNKNOWN if isinstance(error, UnacknowledgedError) else "nothing was sent: try again"
    fault = Fault(name, "", f"{error}; {done}")
    return RefusedError([fault], HTTPStatus.SERVICE_UNAVAILABLE, error.retry_after_seconds or 1.0)


def _refusal(refused: RefusedError) -> Response:
    headers = {}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refused.retry_after_seconds)))
    content = {
        "exception": refused.faults[0].name,
        "message": "; ".join(fault.message for fault in refused.faults[:_MOST_TOLD]),
        "errors": [
            {"exception": fault.name, "field": fault.field, "message": fault.message}
            for fault in refused.faults[:_MOST_TOLD]
        ],
    }
    return Response(orjson.dumps(content), refused.status, headers, media_type="application/json")
