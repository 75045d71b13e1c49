"""What is produced once rows are committed: deliveries, windows, hints and events, as plain records."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from services.dispatcher.policy import Plan, Subject
from services.dispatcher.routing import Route, Routed, Skip
from shared.contract import ids, messages, records, topics
from shared.contract.outcomes import Channel, EmailPlan, Reason
from shared.contract.records import Record


class Window(NamedTuple):
    """An open digest window."""

    tenant: str
    recipient: str
    class_key: str
    id: UUID
    opened_at: datetime
    due_at: datetime


def records_of(batch: Iterable[Routed], windows: Iterable[Window], now: datetime) -> Iterator[Record]:
    """The records of recipients' rows: deliveries and skips of each, a hint per inbox, windows that opened."""
    hinted: set[tuple[str, str]] = set()
    for subject, routes in batch:
        for route in routes:
            yield from _deliveries(subject, route, now)
            for skip in route.skips:
                yield _skipped(subject, route.recipient, skip, now)
            if not route.hidden:
                hinted.add((subject.tenant, route.recipient))
    for tenant, recipient in hinted:
        yield records.inbox_changed(tenant, recipient, now)
    for window in windows:
        yield window_record(window, now)


def _deliveries(subject: Subject, route: Route, now: datetime) -> Iterator[Record]:
    for endpoint in route.push:
        yield _delivery(subject, route.recipient, (Channel.PUSH, endpoint), now)
    if route.email is EmailPlan.IMMEDIATE:
        yield _delivery(subject, route.recipient, (Channel.EMAIL, ids.EMAIL), now)


def _delivery(subject: Subject, recipient: str, endpoint: tuple[Channel, str], now: datetime) -> Record:
    channel, address_id = endpoint
    # A DeliveryRequested, without the time its model takes; a test holds one against the other.
    fields = {
        "type": "tocsin.delivery.requested.v1", "at": now, "tenant": subject.tenant,
        "id": ids.delivery(subject.tenant, subject.id, recipient, address_id),
        "subject": "notification", "subject_id": subject.id, "recipient": recipient, "endpoint": address_id,
        "channel": channel, "lane": subject.lane, "attempt": 1, "accepted_at": subject.accepted_at,
        "expires_on": subject.lifetime.expires_on,
    }  # fmt: skip
    topic = topics.deliveries(channel, subject.lane)
    return Record(topic, records.recipient_key(subject.tenant, recipient), messages.plain(fields))


def _skipped(subject: Subject, recipient: str, skip: Skip, now: datetime) -> Record:
    detail = {"recipient": recipient, "channel": skip.channel, "reason": skip.reason}
    return records.event("skipped", subject.tenant, subject.id, now, detail, recipient, skip.channel)


def unreached(key: tuple[str, UUID, date], recipient: str, reason: Reason, now: datetime) -> Record:
    """The event that a notification (tenant, id, expires_on) went no further before this recipient's turn came."""
    tenant, notification, _ = key
    detail = {"recipient": recipient, "reason": reason}
    return records.event("skipped", tenant, notification, now, detail, recipient)


def window_record(window: Window, now: datetime) -> Record:
    """The record that a window opened."""
    return records.window_opened(
        messages.WindowOpened(
            id=window.id, at=now, tenant=window.tenant, recipient=window.recipient, class_key=window.class_key,
            opened_at=window.opened_at, due_at=window.due_at,
        )
    )  # fmt: skip


def accepted(subject: Subject, recipient_count: int, now: datetime) -> Record:
    """The event that a notification was taken in."""
    detail = {
        "class": subject.class_key, "importance": subject.importance, "lane": subject.lane,
        "recipients": recipient_count,
    }  # fmt: skip
    return records.event("accepted", subject.tenant, subject.id, now, detail)


def touched(plan: Plan, now: datetime) -> Iterator[Record]:
    """What a notification's things are told of it (B10), under ids that a repeat has again."""
    for item in plan.message.touches:
        yield records.entity_touched(
            messages.EntityTouched(
                id=ids.event(plan.subject.id, "touched", item.table, item.id), at=now, tenant=plan.subject.tenant,
                table=item.table, entity=item.id, notification_id=plan.subject.id,
            )
        )  # fmt: skip


def expired(plan: Plan, now: datetime) -> Record:
    """The event that a notification was past its end when it came in."""
    return records.event("expired", plan.subject.tenant, plan.subject.id, now, {"class": plan.subject.class_key})
