"""Whether a request is valid and what it means: plain functions of values, the same for both doors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pydantic

from services.ingest import documents, rules
from shared.contract import field_errors, requests
from shared.contract.importance import Lane
from shared.contract.messages import Audience, FieldError, NotificationAccepted, NotificationScheduled, RelatedItem
from shared.contract.outcomes import Door, Reason
from shared.contract.requests import Id, NotificationRequest
from shared.contract.template_params import TemplateMail

_REQUEST = pydantic.TypeAdapter(NotificationRequest)
_KEY: pydantic.TypeAdapter[str] = pydantic.TypeAdapter(Id)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as a dialect read it, not examined yet.

    Attributes:
        body: the native body, parsed.
        keys: idempotency keys given beside the body, by what they are called there.
        key_source: what the key is unique within when that is not the body's own `source`: a CloudEvent's.
        at: pointer to the body within what was sent.
    """

    body: Any
    keys: Mapping[str, str]
    key_source: str | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that cannot be: why in a word, and every error."""

    reason: Reason
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class Valid:
    """A request that can be.

    Attributes:
        request: what was asked.
        key: its idempotency key, behind the names of what it is unique within; None where none was given.
        payload_hash: SHA-256 of the canonical body; None where no key was given.
        due_at: when to release it (UTC), None for at once.
        late: errors that only time has made. A repeat of a request that was accepted in time is answered as then.
        answered_count: the number its caller is answered with, where a dialect answers one.
        audience: whom it reaches beside the request's recipients, as a dialect says it.
        reached: about how many the audience reaches, as far as lanes ask; 0 where nobody has counted.
        touches: what is touched by it.
        link_query: what every link of its mail has in its query.
        at: pointer to the native body within what was sent.
    """

    request: NotificationRequest
    key: tuple[str, ...] | None
    payload_hash: bytes | None
    due_at: datetime | None
    late: tuple[FieldError, ...]
    answered_count: int | None = None
    audience: Audience | None = None
    reached: int = 0
    touches: tuple[RelatedItem, ...] = ()
    link_query: Mapping[str, str] = field(default_factory=dict)
    at: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant, who within it (the id of a key, or `topic`), and through which door."""

    tenant: str
    owner: str
    door: Door


@dataclass(frozen=True, slots=True)
class Identity:
    """What an accepted request is known by, however often it is repeated; `answered_count` as in Valid."""

    notification_id: UUID
    accepted_at: datetime
    schedule_id: int | None = None
    answered_count: int | None = None


def examine(asked: Asked, now: datetime) -> Valid | Refused:
    """Decide whether a request is valid, finding every error at once; `now` is aware."""
    text = documents.encoded(asked.body)
    unstorable = documents.unstorable(asked.body) if text is None else []
    request, found = _validated(asked, text)
    key, key_errors = _agreed_key(asked, request)
    already = {error.pointer for error in unstorable}
    errors = [*unstorable, *(error for error in found if error.pointer not in already)]
    if request is None or text is None:
        return _refused([*_moved([*errors, *_beyond(asked.body, errors, now)], asked.at), *key_errors])
    meaning = rules.findings(request, now)
    if key_errors or meaning.errors or (meaning.late and key is None):
        return _refused([*_moved([*meaning.errors, *meaning.late], asked.at), *key_errors])
    if key is None:
        return Valid(request, None, None, meaning.due_at, (), at=asked.at)
    payload_hash = documents.canonical_hash(asked.body) if request.options else documents.simple_hash(text)
    return Valid(
        request, (asked.key_source or request.source, key), payload_hash, meaning.due_at, meaning.late, at=asked.at
    )


def accepted(valid: Valid, caller: Caller, identity: Identity, lane: Lane) -> NotificationAccepted:
    """The message that says a valid request was accepted."""
    request = valid.request
    return NotificationAccepted(
        id=identity.notification_id,
        at=identity.accepted_at,
        tenant=caller.tenant,
        notification_id=identity.notification_id,
        source=request.source,
        name=request.name,
        description=request.description,
        recipients=tuple(dict.fromkeys(request.recipients)),
        audience=valid.audience or _audience(request.audience),
        importance=request.importance,
        class_key=request.class_key,
        asset=request.asset,
        options=request.options,
        items=tuple(RelatedItem(table=item.table, id=item.id, url=item.url) for item in request.items),
        requires_action=request.requires_action,
        action_url=request.action_url,
        script=request.script,
        channels=tuple(dict.fromkeys(request.channels)),
        lane=lane,
        door=caller.door,
        owner=caller.owner,
        accepted_at=identity.accepted_at,
        expires_at=request.expires_at,
        payload_hash=valid.payload_hash.hex() if valid.payload_hash else None,
        schedule_id=identity.schedule_id,
        job=request.schedule.job if request.schedule else None,
        completion_email=request.completion_email,
        touches=valid.touches,
        mail=_mail(valid),
    )


def _mail(valid: Valid) -> TemplateMail | None:
    asked = valid.request.mail
    if asked is None:
        return None
    return TemplateMail(
        template=asked.template, subject=asked.subject, params=asked.params, body_ref=asked.body_ref,
        link_query=valid.link_query,
    )  # fmt: skip


def _audience(asked: requests.Audience | None) -> Audience | None:
    if asked is None:
        return None
    return Audience(kind=asked.kind, company=asked.company, parent=asked.parent, ids=tuple(dict.fromkeys(asked.ids)))


def scheduled(notification: NotificationAccepted, valid: Valid) -> NotificationScheduled:
    """The message that says an accepted notification waits for its time.

    Raises:
        ValueError: the request has no schedule, or its notification no schedule id.
    """
    schedule = valid.request.schedule
    if schedule is None or valid.due_at is None or notification.schedule_id is None:
        raise ValueError("the request is not for later")
    return NotificationScheduled(
        id=notification.id,
        at=notification.at,
        tenant=notification.tenant,
        schedule_id=notification.schedule_id,
        due_at=valid.due_at,
        local=schedule.local,
        timezone=schedule.timezone,
        job=schedule.job,
        notification=notification,
    )


def _validated(asked: Asked, text: bytes | None) -> tuple[NotificationRequest | None, list[FieldError]]:
    """The request and no errors, or None and every error of its fields."""
    if not isinstance(asked.body, dict):
        detail = "must be a JSON object with the fields of a notification"
        return None, [FieldError(pointer="", code="not_an_object", detail=detail)]
    if text is None:
        text = json.dumps(documents.readable(asked.body)).encode()
    try:
        # From JSON and strict: a number is no text, a word no boolean, a number no time.
        return _REQUEST.validate_json(text, strict=True, by_alias=True, by_name=False), []
    except pydantic.ValidationError as error:
        return None, field_errors.from_pydantic(error.errors(include_url=False, include_input=False))


_STAND_INS = {"source": "-", "name": "-", "description": "-"}


def _beyond(body: Any, errors: Sequence[FieldError], now: datetime) -> list[FieldError]:
    """What the rules say of the fields that are well formed, so that a caller learns it together with `errors`."""
    if not isinstance(body, dict):
        return []
    wrong = {_field(error) for error in errors}
    well_formed = {**_STAND_INS, **{name: value for name, value in body.items() if name not in wrong}}
    request, _ = _validated(Asked(well_formed, {}), documents.encoded(well_formed))
    if request is None:
        return []
    meaning = rules.findings(request, now)
    return [error for error in (*meaning.errors, *meaning.late) if _field(error) not in wrong]


def _field(error: FieldError) -> str:
    """The field of the body that an error is in (a JSON pointer, RFC 6901)."""
    return error.pointer.removeprefix("/").partition("/")[0].replace("~1", "/").replace("~0", "~")


def _agreed_key(asked: Asked, request: NotificationRequest | None) -> tuple[str | None, list[FieldError]]:
    """The one idempotency key a request names, however often it names it."""
    errors: list[FieldError] = []
    given = {name: key for name, key in asked.keys.items() if _is_key(name, key, errors)}
    if request is not None and request.idempotency_key is not None:
        given["idempotency_key"] = request.idempotency_key
    if len(set(given.values())) > 1:
        names = " and ".join(given)
        errors.append(
            FieldError(pointer="", code="keys_differ", detail=f"{names} differ; they mean the same, send one of them")
        )
    return next(iter(given.values()), None), errors


def _is_key(name: str, key: str, errors: list[FieldError]) -> bool:
    try:
        _KEY.validate_python(key)
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        errors.extend(FieldError(pointer="", code=part["type"], detail=f"{name}: {part['msg']}") for part in found)
        return False
    return True


def _moved(errors: Sequence[FieldError], at: str) -> Sequence[FieldError]:
    """Errors of a body as errors of the document it stands in."""
    return [error.model_copy(update={"pointer": at + error.pointer}) for error in errors] if at else errors


def _refused(errors: Sequence[FieldError]) -> Refused:
    return Refused(Reason.INVALID, field_errors.limited(errors))
