"""What a notification script or a job is given, and the five verbs it has (seed 002): what plug-ins import.

Verbs note what is wanted; it happens in one transaction when the script returns, and not at all when it raises or
takes too long. So what a script does through them happens once, although the script itself may run again. For what it
does outside, such as a call to another system, `Call.handle` is the same in every attempt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.contract import ids
from shared.contract.requests import MAX_BODY_BYTES, MAX_OPTIONS_BYTES, MAX_RECIPIENTS, NotificationRequest

QUARTER_OF_AN_HOUR_SECONDS = 900.0
"""When the source runs the script of each recipient."""


class NotAllowedError(PermissionError):
    """The owner of the notification may not do this: trying again does not help."""


@dataclass(frozen=True, slots=True)
class Notification:
    """The notification a script is about.

    `recipients` holds the first 10,000 of `recipient_count`; for a script of one recipient only that one.
    """

    id: UUID
    tenant: str
    source: str
    name: str
    description: str
    importance: str
    class_key: str
    options: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]
    requires_action: bool
    action_url: str | None
    owner: str
    created_at: datetime
    recipients: Sequence[str]
    recipient_count: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a script of one recipient is about; `kind` is `user`, `system` or `unknown`."""

    id: str
    kind: str
    has_address: bool = False
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The schedule that a job was named in: when it was due (UTC), and the local time that was asked for."""

    schedule_id: int
    due_at: datetime
    local: datetime
    timezone: str


@dataclass(frozen=True, slots=True)
class Later:
    """A script to run later: of each recipient, or of the notification again."""

    script: str
    after_seconds: float
    each_recipient: bool


@dataclass(slots=True)
class Call:
    """One attempt to run a script or job.

    Attributes:
        handle: names this run in every attempt; give it to other systems as an idempotency key.
        attempt: the first is 1.
        name: the script's own name.
        recipient: whom it is about; None when it is run for the notification.
        due: the schedule; only a job has one.
        allows: whether the notification's owner may publish a class.
    """

    handle: str
    attempt: int
    name: str
    notification: Notification
    recipient: Recipient | None
    due: Due | None
    allows: Callable[[str], bool]
    requests: list[dict[str, Any]] = field(default_factory=list, init=False)
    later: list[Later] = field(default_factory=list, init=False)
    deleted: bool = field(default=False, init=False)
    closed: bool = field(default=False, init=False)
    _asked_bytes: int = field(default=0, init=False)

    def options(self) -> Mapping[str, Any]:
        """The options of the communication class, overridden by the notification's own (C10)."""
        return self.notification.options

    def email(self, subject: str, text: str, to: Sequence[str] | None = None) -> UUID:
        """Mail users at once; `text` is Markdown. Without `to` the recipient, or all of the notification's.

        Whoever has no address is skipped with a reason in the trace of the notification whose id this returns.

        Raises:
            ValueError: not a valid mail, too large, or the notification has too many recipients to name.
        """
        whom = list(to) if to is not None else self._everybody()
        return self._ask({
            "name": subject, "description": text, "recipients": whom, "channels": ["email"],
            "importance": "info", "class": self.notification.class_key, "options": {"email": "immediate"},
        })  # fmt: skip

    def notify(self, **fields: Any) -> UUID:
        """Ask for another notification, with the fields of the native body; its id.

        Raises:
            ValueError: not a valid notification, or larger than a door takes.
            NotAllowedError: the owner may not publish its class.
        """
        body = {("class" if name == "class_key" else name): value for name, value in fields.items()}
        class_key = str(body.get("class", "general"))
        if not self.allows(class_key):
            raise NotAllowedError(f"{self.notification.owner} may not publish notifications of class {class_key}")
        return self._ask(body)

    def delete(self) -> None:
        """Withdraw the notification: what was not sent is cancelled, and it leaves every inbox (C11)."""
        self._open()
        self.deleted = True

    def schedule(
        self,
        script: str | None = None,
        after_seconds: float = QUARTER_OF_AN_HOUR_SECONDS,
        *,
        each_recipient: bool = True,
    ) -> None:
        """Run a script, or this one again, later: for each recipient, or for the notification.

        Raises:
            ValueError: a time that has passed, or beyond a year; no name of a script; too many in one run.
        """
        self._open()
        if script is not None and (
            not isinstance(script, str) or not script.isprintable() or len(script) > _LONGEST_NAME
        ):
            raise ValueError(f"script must be a name of at most {_LONGEST_NAME} printable characters")
        if len(self.later) == _MOST_LATER:
            raise ValueError(f"a run schedules at most {_MOST_LATER} times; schedule a script that goes on from there")
        if not 0 <= after_seconds <= _LONGEST_AHEAD_SECONDS:
            raise ValueError("after_seconds must be between 0 and a year")
        self.later.append(Later(script or self.name, after_seconds, each_recipient))

    def _ask(self, body: dict[str, Any]) -> UUID:
        self._open()
        whole = {
            **body,
            "source": f"script.{self.name}"[:100],
            "idempotency_key": f"{self.handle}/{len(self.requests)}",
        }
        request = NotificationRequest.model_validate(whole)
        asked = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
        self._asked_bytes += self._fitting(asked)
        self.requests.append(asked)
        return ids.keyed_notification(self.notification.tenant, request.source, whole["idempotency_key"])

    def _fitting(self, asked: dict[str, Any]) -> int:
        """The size of a request that the topic takes, in bytes as JSON."""
        size = _encoded_bytes(asked)
        if size > MAX_BODY_BYTES:
            raise ValueError(f"a request has at most {MAX_BODY_BYTES:,} bytes as JSON; ask for less at once")
        if _encoded_bytes(asked.get("options", {})) > MAX_OPTIONS_BYTES:
            raise ValueError(f"options have at most {MAX_OPTIONS_BYTES:,} bytes as JSON; give fewer")
        if self._asked_bytes + size > _MOST_ASKED_BYTES:
            raise ValueError(
                f"a run asks for at most {_MOST_ASKED_BYTES:,} bytes in all; schedule a script for the rest"
            )
        return size

    def _everybody(self) -> list[str]:
        if self.recipient is not None:
            return [self.recipient.id]
        if self.notification.recipient_count > MAX_RECIPIENTS:
            raise ValueError("too many recipients to name; schedule a script of each recipient, and mail from there")
        return list(self.notification.recipients)

    def _open(self) -> None:
        if self.closed:
            raise RuntimeError("this call is over: its time was up, and what it asks for now comes to nothing")


def _encoded_bytes(document: object) -> int:
    try:
        return len(orjson.dumps(document))
    except TypeError as error:  # a number beyond 64 bits, half a surrogate pair: orjson has one class for all
        raise ValueError(f"this cannot be sent as JSON: {error}") from error


_LONGEST_AHEAD_SECONDS = 366 * 86_400.0
_LONGEST_NAME = 100
_MOST_LATER = 100
_MOST_ASKED_BYTES = 4 * MAX_BODY_BYTES
"""All that a run asks for is committed and produced together."""
