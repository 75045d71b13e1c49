"""What Tocsin answers, as frozen models; fields a later version adds are ignored."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contract.messages import FieldError
from shared.contract.outcomes import AttemptOutcome, Channel, DeliveryState


class Answer(BaseModel):
    """Any answer: frozen, tolerant of what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True)


class Accepted(Answer):
    """Tocsin has the notification and will not lose it.

    Attributes:
        schedule_id: the number of its schedule where it was asked for later.
        deduplication: whether the idempotency key was decided (`checked`), will be when PostgreSQL is back
            (`deferred`), or none was given.
    """

    notification_id: UUID
    status: Literal["accepted", "scheduled"]
    schedule_id: int | None = None
    deduplication: Literal["checked", "deferred", "none"] = "none"


class Refused(Answer):
    """One notification of a batch was not taken; the others stand."""

    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class TimelineEntry(Answer):
    """One thing that happened to a notification."""

    at: AwareDatetime
    event: str
    detail: dict[str, Any] = Field(default_factory=dict)


class Attempt(Answer):
    """One attempt at a delivery; `seconds` is how long the destination took, `detail` what it said."""

    at: AwareDatetime
    outcome: AttemptOutcome | str
    reason: str | None = None
    seconds: float | None = None
    detail: str | None = None


class Delivery(Answer):
    """One way of one notification to one endpoint of a recipient, with its attempts.

    `state` is that of the delivery, or `pending` while none was made; `due_at` is when its next step is due.
    """

    recipient: str
    channel: Channel | str
    endpoint: str | None = None
    state: DeliveryState | str
    reason: str | None = None
    digest_id: UUID | None = None
    due_at: AwareDatetime | None = None
    delivery_id: UUID | None = None
    attempts: tuple[Attempt, ...] = ()


class Trace(Answer):
    """Everything that happened to one notification, and why.

    `state` is `scheduled`, `accepted`, `in_progress`, `ended`, `cancelled` or `expired`. `next` asks for the deliveries
    of further recipients.
    """

    notification_id: UUID
    state: str
    timeline: tuple[TimelineEntry, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    next: str | None = None


class QuietHours(Answer):
    """When a user wants no push and no mail outside the urgent lane: HH:MM by the clocks of the user's time zone."""

    begins: str = Field(alias="from")
    ends: str = Field(alias="to")


class User(Answer):
    """A recipient of the directory; only `id` must be known."""

    id: str
    login: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    quiet_hours: QuietHours | None = None
    kind: Literal["user", "system"] = "user"
    roles: tuple[str, ...] = ()


class Group(Answer):
    """A group of the directory."""

    kind: str
    id: str
    name: str
    company: str
    parent: str | None


class Member(Answer):
    """A user within a group."""

    user: str
    status: str


class Endpoint(Answer):
    """Where a channel reaches a recipient; `secret` is answered once, when the endpoint is made."""

    id: UUID
    recipient: str
    channel: Channel | str
    kind: str
    address: str
    state: str
    reason: str | None = None
    secret: str | None = None


class CommunicationClass(Answer):
    """A communication class: the options of its notifications."""

    key: str
    name: str = ""
    options: dict[str, Any] = Field(default_factory=dict)


class ApiKey(Answer):
    """An API key; `key` is answered once, when it is made or rotated; the one before opens until `previous_until`."""

    id: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    key: str | None = None
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    created_at: AwareDatetime | None = None
    previous_until: AwareDatetime | None = None


class DeadLetter(Answer):
    """What could not be understood or was given up; `original` is base64, null in lists where it is large."""

    id: UUID
    reason: str
    detail: str = ""
    topic: str
    partition: int | None = None
    offset: int | None = None
    at: AwareDatetime
    redriven: AwareDatetime | None = None
    delivery_id: UUID | None = None
    original: str | None = None


class RefusedLetter(Answer):
    """A dead letter that cannot go again, and why; it stays as it is."""

    id: UUID
    reason: str
    detail: str


class Redriven(Answer):
    """`matched` dead letters were meant; `redriven` of them go again, spread over `seconds`.

    `refused` names those that cannot, the first thousand.
    """

    matched: Annotated[int, Field(ge=0)]
    redriven: Annotated[int, Field(ge=0)]
    seconds: float
    dry_run: bool = False
    refused: tuple[RefusedLetter, ...] = ()


class InboxItem(Answer):
    """A notification as its recipient sees it; `css_class` and `status_css_class` colour it, `popup` says how to open.

    `state` is `no_action`, `action_required` or `action_complete`.
    """

    id: UUID
    name: str
    description: str
    description_html: str
    importance: str
    css_class: str
    class_key: Annotated[str, Field(alias="class")]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    state: str
    completed_by: str | None = None
    completed_at: AwareDatetime | None = None
    dismissed: bool
    action_url: str | None = None
    popup: bool = False
    items: tuple[dict[str, Any], ...] = ()
    type: str | None = None
    status: str | None = None
    status_css_class: str | None = None
    version: int


class InboxCount(Answer):
    """Items that are open, and those of them that require an action."""

    open: int
    action_required: int


class ActionUrl(Answer):
    """Where to go to complete an item."""

    url: str


class Confirmation(Answer):
    """What to ask before completing an item."""

    confirm: str


class InboxToken(Answer):
    """What opens one recipient's inbox, and the address that logs in by it."""

    token: str
    expires_at: AwareDatetime
    login_url: str


class WrongLine(Answer):
    """A line of a file that was not imported, and why."""

    line: int
    errors: tuple[FieldError, ...]


class Imported(Answer):
    """How a file was taken: `errors` lists the first of the `failed` lines."""

    imported: int
    failed: int
    errors: tuple[WrongLine, ...] = ()


class Schedule(Answer):
    """A notification asked for later."""

    id: int
    notification_id: UUID
    due_at: AwareDatetime
    local: datetime
    timezone: str
    job: str | None = None
    state: Literal["pending", "released", "cancelled"]
    owner: str | None = None
