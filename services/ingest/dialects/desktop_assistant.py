"""The Desktop Assistant dialect (seed 000): its parameters as the native body, and its answers.

The source leaves open what this module decides: a message without title is titled by its source's name; a property
that was never set counts as true; a referrer needs table and id; `importance` is info, channels are inbox and push.
"""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from services.ingest import documents
from services.ingest.acceptance import Asked, Refused
from services.ingest.dialects import native
from shared.contract import desktop_switch, field_errors, referrers
from shared.contract.messages import FieldError
from shared.contract.outcomes import Reason
from shared.contract.requests import MAX_RECIPIENTS, MAX_URL, ONE_LINE, STORABLE, Id, RequestModel

NAME = "desktop_assistant"
"""What the header `dialect` says of such a record."""

_SOURCES = {"mim": "Major Incident Management", "pe": "Proactive Engagement"}
_ID: TypeAdapter[str] = TypeAdapter(Id)


def _listed(text: str) -> str:
    recipients = ids_of(text)
    if not recipients:
        raise ValueError("names nobody; list at least one id")
    if len(recipients) > MAX_RECIPIENTS:
        raise ValueError(f"names {len(recipients):,} recipients, at most {MAX_RECIPIENTS:,}; send in parts")
    for recipient in recipients:
        try:
            _ID.validate_python(recipient)
        except ValidationError as error:
            said = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise ValueError(f"{recipient[:40]!r} is no id: {said}") from error
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _or_none(text: str | None) -> str | None:
    return text or None


_Line255 = Annotated[str, StringConstraints(max_length=255), ONE_LINE]
_Line100 = Annotated[str, StringConstraints(max_length=100), ONE_LINE]


class Parameters(RequestModel):
    """The parameters of sendDANotification; of the optional ones, scripts often pass an empty text for nothing."""

    notification_title: Annotated[_Line255 | None, AfterValidator(_or_none)] = None
    notification_message: Annotated[
        str, StringConstraints(min_length=1, max_length=4_096), STORABLE, AfterValidator(_said)
    ]
    recipient_list: Annotated[str, AfterValidator(_listed), Field(description="Ids of users, separated by commas.")]
    referrer_table: Annotated[_Line100 | None, AfterValidator(_or_none)] = None
    referrer_id: Annotated[_Line255 | None, AfterValidator(_or_none)] = None
    source: Literal["mim", "pe"]


class Metadata(BaseModel):
    """What else there is to say: the id of the notification that was queued."""

    notification_id: UUID | None = None


class Answer(BaseModel):
    """The answer: `responseCode` 200 means queued, any other that nothing was; `message` says why."""

    responseCode: int  # noqa: N815 - the source's name
    message: str
    metadata: Metadata


def ids_of(recipient_list: str) -> list[str]:
    """The ids of a comma-separated list, each once; spaces around them and empty places mean nothing."""
    return list(dict.fromkeys(part.strip() for part in recipient_list.split(",") if part.strip()))


def read(raw: bytes, keys: Mapping[str, str], properties: Mapping[str, Any]) -> Asked | Refused:
    """What the dialect's body asks of a tenant with these properties; errors point at the dialect's parameters."""
    if not desktop_switch.is_on(properties):
        detail = f"the property {desktop_switch.PROPERTY} is not true; nothing is sent until it is"
        return Refused(Reason.SWITCHED_OFF, (FieldError(pointer="", code=Reason.SWITCHED_OFF, detail=detail),))
    try:
        document = documents.parsed(raw)
    except documents.UnfitDocumentError as error:
        return native.unreadable(error)
    try:
        parameters = Parameters.model_validate(document, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return Refused(Reason.INVALID, field_errors.limited(field_errors.from_pydantic(found)))
    link, errors = _link(parameters, properties)
    if errors:
        return Refused(Reason.INVALID, errors)
    return Asked(_body(parameters, link), keys)


def _body(parameters: Parameters, link: str | None) -> dict[str, Any]:
    items = []
    if parameters.referrer_table is not None:
        items.append({"table": parameters.referrer_table, "id": parameters.referrer_id, "url": link})
    return {
        "source": parameters.source,
        "name": parameters.notification_title or _SOURCES[parameters.source],
        "description": parameters.notification_message,
        "recipients": ids_of(parameters.recipient_list),
        "importance": "info",
        "channels": ["inbox", "push"],
        "items": items,
    }


def _link(parameters: Parameters, properties: Mapping[str, Any]) -> tuple[str | None, tuple[FieldError, ...]]:
    """A8: the address of the referrer, if its tenant says how to make one."""
    table, key = parameters.referrer_table, parameters.referrer_id
    if (table is None) != (key is None):
        missing = "referrer_id" if key is None else "referrer_table"
        detail = "is missing; referrer_table and referrer_id name a record together"
        return None, (FieldError(pointer=f"/{missing}", code="missing", detail=detail),)
    if table is None or key is None:
        return None, ()
    link = referrers.link(properties, table, key)
    if link is not None and len(link) > MAX_URL:
        detail = f"makes a link of more than {MAX_URL:,} characters with the property {referrers.PROPERTY}; shorten one"
        return None, (FieldError(pointer="/referrer_id", code="too_long", detail=detail),)
    return link, ()


def unknown_recipients(unknown: list[str]) -> tuple[FieldError, ...]:
    """A4: what is wrong with recipients that the directory does not know; those beyond `_NAMED_BYTES` are counted."""
    if not unknown:
        return ()
    ends = itertools.accumulate(len(recipient.encode()) + len(", ") for recipient in unknown)
    named = [recipient for recipient, end in zip(unknown, ends, strict=True) if end <= _NAMED_BYTES]
    more = f" and {len(unknown) - len(named):,} more" if len(named) < len(unknown) else ""
    detail = f"unknown recipients: {', '.join(named)}{more}; nothing was queued for anybody"
    return (FieldError(pointer="/recipient_list", code=Reason.UNKNOWN_RECIPIENT, detail=detail),)


_NAMED_BYTES = 65_536
"""On the topic the names stand beside the original in one record, each quotation mark of theirs in two bytes."""


def message_of(refused: Refused) -> str:
    """Every error of a refusal in one line, each behind the parameter it is about."""
    return "; ".join(f"{error.pointer.lstrip('/')}: {error.detail}".removeprefix(": ") for error in refused.errors)
