"""What is old, in which order it goes, and what is told of it: plain functions and values."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from shared.contract import ids, records
from shared.contract.outcomes import Channel, Reason
from shared.contract.records import Record

DROP_ORDER = ("notifications", "digests", "inbox_items", "deliveries", "attempts", "timeline", "dead_letters")
"""Whatever begins work reads a notification, digest or item first, and holds its table while it writes the others:
so these go first, and nobody finds a subject whose deliveries have no partition any more."""

FANOUT_KEPT = timedelta(days=1)
"""How long a fan-out that has ended stays: nothing reads it but a person who asks what happened. One that has not is
given as long after its day, to tell whom it did not reach."""

WINDOW_KEPT = timedelta(days=8)
"""How late a window may be: its items are gone by then, and so is the window."""

RUN_KEPT = timedelta(days=7)
"""How long a script's run stays after its end: as long as its dead letter, which may make it due again."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The moments before which things are old: days in UTC."""

    now: datetime
    today: date
    fanouts_before: datetime
    fanout_days_before: date
    windows_before: datetime
    runs_before: datetime


def cutoffs(now: datetime) -> Cutoffs:
    """What is old at a moment (aware)."""
    today = now.astimezone(UTC).date()
    return Cutoffs(now, today, now - FANOUT_KEPT, today - FANOUT_KEPT, now - WINDOW_KEPT, now - RUN_KEPT)


def days_needed(today: date, days_ahead: int) -> list[date]:
    """The days that must have partitions, the most urgent first."""
    return [today + timedelta(days=ahead) for ahead in range(days_ahead + 1)]


def behind_seconds(oldest_day: date | None, oldest_removal: datetime | None, now: datetime) -> float:
    """How long the oldest record that should be gone has been overdue; 0 when there is none.

    A day is over at the midnight after it, UTC.
    """
    due = [] if oldest_day is None else [datetime.combine(oldest_day + timedelta(days=1), time(), UTC)]
    due += [] if oldest_removal is None else [oldest_removal]
    return max((now - each).total_seconds() for each in [*due, now])


@dataclass(frozen=True, slots=True)
class Expired:
    """A notification that has reached its end."""

    tenant: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A delivery that had not ended when its day was over, and the notifications it was to tell of.

    One that never began may be of a notification that was cancelled before: `reason` says so.
    """

    tenant: str
    id: UUID
    recipient: str
    endpoint: str
    channel: str
    digest_id: UUID | None
    notifications: tuple[UUID, ...]
    reason: Reason = Reason.EXPIRED


@dataclass(frozen=True, slots=True)
class Planned:
    """What intake meant for one recipient of one notification: push endpoints, and a mail that no digest ended."""

    tenant: str
    recipient: str
    notification: UUID
    push_endpoints: Sequence[UUID]
    is_mail_due: bool
    is_cancelled: bool


def never_begun(planned: Iterable[Planned]) -> Iterator[Unfinished]:
    """The deliveries that were meant, whether or not they began; which did, their ids tell."""
    for item in planned:
        reason = Reason.CANCELLED if item.is_cancelled else Reason.EXPIRED
        ways = [(str(endpoint), Channel.PUSH) for endpoint in item.push_endpoints]
        ways += [(ids.EMAIL, Channel.EMAIL)] if item.is_mail_due else []
        for endpoint, channel in ways:
            delivery = ids.delivery(item.tenant, item.notification, item.recipient, endpoint)
            yield Unfinished(
                item.tenant, delivery, item.recipient, endpoint, channel, None, (item.notification,), reason
            )


def expired_events(expired: Iterable[Expired], now: datetime) -> list[Record]:
    """One event for each notification; ids are derived, so a repeat after a crash is recognised."""
    return [records.event("expired", each.tenant, each.id, now, {}) for each in expired]


def unfinished_events(unfinished: Iterable[Unfinished], now: datetime) -> list[Record]:
    """One event for each notification of each delivery, the same as a sink tells of what expired before its claim."""
    return [
        records.event("skipped", each.tenant, notification, now, _about(each), each.recipient, each.endpoint)
        for each in unfinished
        for notification in each.notifications
    ]


def _about(each: Unfinished) -> dict[str, str]:
    about = {
        "recipient": each.recipient,
        "channel": each.channel,
        "endpoint": each.endpoint,
        "delivery_id": str(each.id),
        "reason": each.reason,
    }
    return about if each.digest_id is None else about | {"digest_id": str(each.digest_id)}
