"""What a recipient sees and may do (C3 to C6): plain functions of values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared import markdown
from shared.contract import user_status
from shared.contract.importance import STANDARD_OPTIONS, Importance, ImportanceOptions
from shared.contract.outcomes import NotificationState


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as the record keeps it: one notification in one recipient's inbox."""

    notification_id: UUID
    expires_on: date
    name: str
    description: str
    importance: Importance
    class_key: str
    created_at: datetime
    expires_at: datetime | None
    requires_action: bool
    completed_by: str | None
    completed_at: datetime | None
    dismissed_at: datetime | None
    action_url: str | None
    items: Sequence[Mapping[str, Any]]
    version: int
    type: str | None = None
    status: str | None = None

    @property
    def state(self) -> NotificationState:
        """C4: one of three."""
        if not self.requires_action:
            return NotificationState.NO_ACTION
        if self.completed_at is None:
            return NotificationState.ACTION_REQUIRED
        return NotificationState.ACTION_COMPLETE


class Completion(StrEnum):
    """What asking to complete an item comes to (C5)."""

    COMPLETE = "complete"
    REDIRECT = "redirect"
    CONFIRM = "confirm"
    NOT_REQUIRED = "not_required"
    ALREADY = "already"


def completion(item: StoredItem, *, at_once: bool) -> Completion:
    """C5: at once when told so, else by its action URL, else ask; any recipient, once, for all."""
    if item.state is NotificationState.NO_ACTION:
        return Completion.NOT_REQUIRED
    if item.state is NotificationState.ACTION_COMPLETE:
        return Completion.ALREADY
    if at_once:
        return Completion.COMPLETE
    return Completion.REDIRECT if item.action_url else Completion.CONFIRM


def may_dismiss(item: StoredItem) -> bool:
    """C6: dismissing, and undoing it, is allowed when nothing is left to do."""
    return item.state is not NotificationState.ACTION_REQUIRED


def opens_popup(action_url: str | None) -> bool:
    """C5: whether the action URL asks for a popup by `popup=true`."""
    if action_url is None:
        return False
    return ("popup", "true") in parse_qsl(urlsplit(action_url).query)


def presented(own: Mapping[str, ImportanceOptions]) -> dict[Importance, ImportanceOptions]:
    """The six importances as they count for a tenant, in the order in which items are presented (C3)."""
    options = {name: own.get(name, standard) for name, standard in STANDARD_OPTIONS.items()}
    ranked = sorted(options, key=lambda name: (options[name].sort, STANDARD_OPTIONS[name].sort))
    return {name: options[name] for name in ranked}


class Item(BaseModel):
    """An item as its recipient sees it; `description_html` is sanitised.

    `type` and `status` are the notification's options of these names: a user notification's number of its type, and
    the word for how the order stands, shown in `status_css_class` (B11); others have none.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    description: str
    description_html: str
    importance: Importance
    css_class: str
    class_key: Annotated[str, Field(serialization_alias="class")]
    created_at: datetime
    expires_at: datetime | None
    state: NotificationState
    completed_by: str | None
    completed_at: datetime | None
    dismissed: bool
    action_url: str | None
    popup: bool
    items: Sequence[Mapping[str, Any]]
    type: str | None = None
    status: str | None = None
    status_css_class: str | None = None
    version: int


def seen(stored: StoredItem, importances: Mapping[Importance, ImportanceOptions]) -> Item:
    """An item as its recipient sees it, in the tenant's colours."""
    return Item(
        id=stored.notification_id,
        name=stored.name,
        description=stored.description,
        description_html=markdown.to_html(stored.description),
        importance=stored.importance,
        css_class=importances[stored.importance].css_class,
        class_key=stored.class_key,
        created_at=stored.created_at,
        expires_at=stored.expires_at,
        state=stored.state,
        completed_by=stored.completed_by,
        completed_at=stored.completed_at,
        dismissed=stored.dismissed_at is not None,
        action_url=stored.action_url,
        popup=opens_popup(stored.action_url),
        items=stored.items,
        type=stored.type,
        status=stored.status,
        status_css_class=user_status.css_class(stored.status),
        version=stored.version,
    )
