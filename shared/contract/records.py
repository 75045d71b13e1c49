"""Messages as the records that carry them: which topic, which key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.contract import ids, messages, topics


@dataclass(frozen=True, slots=True)
class Record:
    """One record to send; `topic` is the contract's name, without prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = field(default=())


_CLOUD_EVENT = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
_INBOX_CHANGED = "tocsin.inbox.changed.v1"


def recipient_key(tenant: str, recipient: str) -> bytes:
    """The key that keeps one recipient's records in one partition."""
    # A copy, since keys are remembered: what orjson gives keeps all of the 4 KiB that it was written into.
    return bytes(memoryview(orjson.dumps([tenant, recipient])))


ORIGIN = "origin"
"""Header of what was accepted from the topic: where its request stands there, `partition:offset`."""


def accepted(message: messages.NotificationAccepted) -> Record:
    """An accepted notification on the topic of its lane."""
    return Record(topics.accepted(message.lane), str(message.notification_id).encode(), message.encoded())


def scheduled(message: messages.NotificationScheduled) -> Record:
    """A notification for later."""
    return Record(topics.SCHEDULED, str(message.notification.notification_id).encode(), message.encoded())


def delivery(message: messages.DeliveryRequested) -> Record:
    """A delivery on the topic of its channel and lane."""
    topic = topics.deliveries(message.channel, message.lane)
    return Record(topic, recipient_key(message.tenant, message.recipient), message.encoded())


def window_opened(message: messages.WindowOpened) -> Record:
    """A window that opened, keyed by its id (the key of faust's table too)."""
    return Record(topics.DIGEST_WINDOWS, str(message.id).encode(), message.encoded())


def inbox_changed(tenant: str, recipient: str, at: datetime) -> Record:
    """A hint that a recipient's inbox changed."""
    fields = {"type": _INBOX_CHANGED, "id": ids.fresh_text(), "at": at, "tenant": tenant, "recipient": recipient}
    return Record(topics.INBOX_CHANGES, recipient_key(tenant, recipient), messages.plain(fields))


def event(
    name: messages.EventName, tenant: str, notification: UUID, at: datetime, detail: dict[str, Any], *parts: str | int
) -> Record:
    """State for others; `parts` are what tells this event from the notification's others of the same name.

    The id is derived, so that a repeat is recognised as one.
    """
    subject = str(notification)
    # A NotificationEvent, without the time its model takes; the most frequent record of all.
    fields = {
        "specversion": "1.0", "id": ids.event(notification, name, *parts), "source": "tocsin",
        "type": messages.notification_event_type(name), "subject": subject, "time": at, "tenant": tenant,
        "datacontenttype": "application/json", "data": {"notification_id": subject, **detail},
    }  # fmt: skip
    return _cloud_event(subject, messages.plain(fields))


def entity_touched(message: messages.EntityTouched) -> Record:
    """A touch of a thing, keyed by it: its touches stay in their order."""
    return Record(topics.ENTITIES_TOUCHED, orjson.dumps([message.tenant, message.table, message.entity]),
                  message.encoded())  # fmt: skip


def endpoint_disabled(tenant: str, endpoint: str, at: datetime, detail: dict[str, Any], *parts: str | int) -> Record:
    """An endpoint takes nothing any more; `parts` tell this time from the next, after it was enabled again."""
    message = messages.NotificationEvent(
        id=ids.derived("event", [endpoint, "disabled", *parts]),
        type=messages.ENDPOINT_DISABLED_TYPE,
        subject=endpoint,
        time=at,
        tenant=tenant,
        data={"endpoint": endpoint, **detail},
    )
    return _cloud_event(endpoint, message.encoded())


def _cloud_event(subject: str, value: bytes) -> Record:
    return Record(topics.EVENTS, subject.encode(), value, _CLOUD_EVENT)


def dead_letter(original: Record, *, reason: str, detail: str, position: tuple[str, int, int] | None) -> Record:
    """Raw bytes as they came, with their origin (topic, partition, offset) and reason in headers."""
    origin = [] if position is None else [
        ("origin-topic", position[0].encode()),
        ("origin-partition", str(position[1]).encode()),
        ("origin-offset", str(position[2]).encode()),
    ]  # fmt: skip
    headers = [*original.headers, *origin, ("reason", reason.encode()), ("detail", detail.encode())]
    return Record(topics.DEAD_LETTERS, original.key, original.value, headers)
