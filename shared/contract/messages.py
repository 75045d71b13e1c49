"""Every message on Tocsin's own topics, as frozen models read by their `type`.

Readers are tolerant (unknown fields are ignored), so that a newer writer may add fields; a new meaning is a new
version of `type`, never a changed field.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import to_jsonable_python

from shared.contract.directory import GroupKind
from shared.contract.importance import Importance, Lane
from shared.contract.outcomes import Channel, Door
from shared.contract.requests import LOCAL_TIME
from shared.contract.template_params import TemplateMail

NEVER = date.max
"""The day of what has no fixed end: PostgreSQL's 'infinity', in JSON 9999-12-31."""


class Message(BaseModel):
    """What every message has: which one it is, when it was said (aware), and whose it is."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True)

    id: UUID
    at: AwareDatetime
    tenant: str

    def encoded(self) -> bytes:
        """The message as it stands on a topic: UTF-8 JSON by wire names."""
        return self.model_dump_json(by_alias=True).encode()


def plain(fields: dict[str, Any]) -> bytes:
    """The fields of a model without aliases or models within, as its JSON: a quarter of the time pydantic takes."""
    return orjson.dumps(fields, default=to_jsonable_python, option=orjson.OPT_UTC_Z)


class RelatedItem(BaseModel):
    """A thing a notification relates to (C1, A8)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    table: str
    id: str
    url: str | None = None


class Audience(BaseModel):
    """What resolves to recipients: the accepted members of groups.

    Of the groups of `kind`, those of `company` and of `parent` (an event, a smart library) where they are given, and
    of these those in `ids`, or all when there are none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: GroupKind
    company: str | None = None
    parent: str | None = None
    ids: tuple[str, ...] = ()


class NotificationAccepted(Message):
    """A valid request on its way to intake, on `notifications.accepted.{lane}`.

    `payload_hash` is the SHA-256 of the RFC 8785 form of the body as sent, hex; None where no key was given.
    `recipients` holds each id once, in the order of the request; `audience` resolves to more of them when it is taken
    in. `asset` is what they may have unsubscribed from (B8). `owner` is who asked: the id of a key, `topic`, or
    `sendNotification:` and a user. `job` is the schedule's. `completion_email`: the tenant's admins are told when the
    last delivery has ended (B12). `touches` are the things whose Last Modified moves when it is taken in (B10). `mail`
    is sent at once instead of what the class says.
    """

    type: Literal["tocsin.notification.accepted.v1"] = "tocsin.notification.accepted.v1"
    notification_id: UUID
    source: str
    name: str
    description: str
    recipients: tuple[str, ...]
    audience: Audience | None = None
    importance: Importance
    class_key: Annotated[str, Field(alias="class")]
    asset: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    items: tuple[RelatedItem, ...] = ()
    requires_action: bool = False
    action_url: str | None = None
    script: str = "default"
    channels: tuple[Channel, ...]
    lane: Lane
    door: Door
    owner: str
    accepted_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    payload_hash: str | None = None
    schedule_id: int | None = None
    job: str | None = None
    completion_email: bool = False
    touches: tuple[RelatedItem, ...] = ()
    mail: TemplateMail | None = None


class NotificationScheduled(Message):
    """A valid request for later, on `notifications.scheduled`; `due_at` is the local time resolved to UTC."""

    type: Literal["tocsin.notification.scheduled.v1"] = "tocsin.notification.scheduled.v1"
    schedule_id: int
    due_at: AwareDatetime
    local: Annotated[datetime, WithJsonSchema(LOCAL_TIME)]
    timezone: str
    job: str | None = None
    notification: NotificationAccepted


class DeliveryRequested(Message):
    """One delivery to attempt, on `deliveries.{channel}.{lane}`; `id` is the delivery id.

    `subject_id` names the notification or digest; what is sent is read from its stored row at the claim.
    `expires_on` is the partition of the delivery's row and of its subject's row.
    """

    type: Literal["tocsin.delivery.requested.v1"] = "tocsin.delivery.requested.v1"
    subject: Literal["notification", "digest"]
    subject_id: UUID
    recipient: str
    endpoint: str
    channel: Channel
    lane: Lane
    attempt: int
    accepted_at: AwareDatetime
    expires_on: date

    def encoded(self) -> bytes:
        """The message as it stands on a topic: UTF-8 JSON."""
        return plain(self.__dict__)


class WindowOpened(Message):
    """A digest window opened, on `digest.windows`; `id` is the window's id and the key of the record."""

    type: Literal["tocsin.digest.window_opened.v1"] = "tocsin.digest.window_opened.v1"
    recipient: str
    class_key: Annotated[str, Field(alias="class")]
    opened_at: AwareDatetime
    due_at: AwareDatetime


class InboxChanged(Message):
    """A hint on `inbox.changes` that a recipient's inbox is not what it was."""

    type: Literal["tocsin.inbox.changed.v1"] = "tocsin.inbox.changed.v1"
    recipient: str


class EntityTouched(Message):
    """A thing of the upstream system was touched by a notification about it, on `entities.touched` (B10).

    `at` is the time that its Last Modified should have; `table` and `entity` name it as the upstream system does.
    """

    type: Literal["tocsin.entity.touched.v1"] = "tocsin.entity.touched.v1"
    table: str
    entity: str
    notification_id: UUID


class FieldError(BaseModel):
    """One thing wrong with a request: where (RFC 6901 pointer), what (a code), and what to do about it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pointer: str
    code: str
    detail: str


class RequestRejected(BaseModel):
    """The answer on `notifications.rejected` to a record that asked for something impossible.

    `key`, `headers` values and `original` are base64, since they are whatever bytes came. `tenant` is None where the
    record named none that exists. An original over 512 kB, or of an answer that Kafka took only shortened, stands in
    `bodies` under `original_ref` for some days: the console gives it to an admin key of its tenant at
    `/v1/bodies/{original_ref}`. Of a record whose key turned out to be used only once it had been accepted there is the
    position alone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["tocsin.request.rejected.v1"] = "tocsin.request.rejected.v1"
    id: UUID
    at: AwareDatetime
    tenant: str | None
    topic: str
    partition: int
    offset: int
    key: str | None
    headers: dict[str, str]
    errors: tuple[FieldError, ...]
    original: str | None
    original_ref: str | None = None
    notification_id: UUID | None = None

    def encoded(self) -> bytes:
        """The message as it stands on the topic: UTF-8 JSON."""
        return self.model_dump_json().encode()


class PushedNotification(BaseModel):
    """What a push endpoint of kind webhook is sent, signed as Standard Webhooks has it; `url` is the first item's."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True)

    type: Literal["tocsin.delivery.v1"] = "tocsin.delivery.v1"
    delivery_id: UUID
    notification_id: UUID
    recipient: str
    name: str
    description: str
    importance: Importance
    class_key: Annotated[str, Field(alias="class")]
    url: str | None = None
    action_url: str | None = None
    items: tuple[RelatedItem, ...] = ()
    created_at: AwareDatetime

    def encoded(self) -> bytes:
        """The body of the request: UTF-8 JSON by wire names."""
        return self.model_dump_json(by_alias=True).encode()


EventName = Literal[
    "accepted", "rejected", "scheduled", "cancelled", "delivered", "failed", "skipped",
    "digested", "completed", "dismissed", "undismissed", "expired",
]  # fmt: skip


class NotificationEvent(BaseModel):
    """State for others, on `notifications.events`: a CloudEvent 1.0 in structured mode.

    `subject` is the notification id; `data` names what the event is about (recipient, channel, reason, …), never an
    address or a body.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str = "tocsin"
    type: str
    subject: str
    time: AwareDatetime
    tenant: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]

    def encoded(self) -> bytes:
        """The event as it stands on the topic: UTF-8 JSON."""
        return plain(self.__dict__)


def notification_event_type(name: EventName) -> str:
    """The CloudEvents type of a notification's event."""
    return f"tocsin.notification.{name}.v1"


ENDPOINT_DISABLED_TYPE = "tocsin.endpoint.disabled.v1"

AnyMessage = Annotated[
    NotificationAccepted | NotificationScheduled | DeliveryRequested | WindowOpened | InboxChanged | EntityTouched,
    Field(discriminator="type"),
]
"""What stands on Tocsin's own topics, told apart by `type`."""
