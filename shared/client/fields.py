"""The fields of a notification as keywords of a call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, Required, TypedDict

from pydantic import ValidationError

from shared.client.errors import RefusedError
from shared.contract import field_errors, requests


class ItemFields(TypedDict):
    """A thing a notification relates to."""

    table: str
    id: str
    url: NotRequired[str | None]


class ScheduleFields(TypedDict):
    """When to send: a local time without offset, the IANA zone it is local to, and a job to run then."""

    local: datetime | str
    timezone: str
    job: NotRequired[str | None]


class MailFields(TypedDict):
    """The mail that a template makes: its name and subject, its params, and the id of a body kept beforehand."""

    template: str
    subject: str
    params: NotRequired[Mapping[str, str]]
    body_ref: NotRequired[str | None]


class AudienceFields(TypedDict, total=False):
    """Groups of the directory whose accepted members are recipients; without `ids` every group of the kind there."""

    kind: Required[str]
    company: Required[str]
    parent: str
    ids: Sequence[str]


class NotificationFields(TypedDict, total=False):
    """What a notification says, to `recipients`, an `audience` or both.

    `class_key` is the wire's `class`, a word Python keeps for itself.
    """

    source: Required[str]
    name: Required[str]
    description: Required[str]
    recipients: Sequence[str]
    audience: AudienceFields
    importance: str
    class_key: str
    asset: str | None
    options: Mapping[str, Any]
    items: Sequence[ItemFields]
    requires_action: bool
    action_url: str | None
    script: str
    channels: Sequence[str]
    idempotency_key: str
    schedule: ScheduleFields
    expires_at: datetime | str
    mail: MailFields
    completion_email: bool


def body_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body for some fields, checked by the model of the door before anything is sent.

    Raises:
        RefusedError: 422 with every error, as the door itself would answer.
    """
    try:
        request = requests.NotificationRequest.model_validate(fields)
    except ValidationError as error:
        found = field_errors.limited(field_errors.from_pydantic(error.errors(include_url=False, include_input=False)))
        raise RefusedError(422, "the notification is not valid; nothing was sent", found) from error
    body: dict[str, Any] = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return body
