"""What a flush tells others: the digest's delivery, and what became of each item."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from services.digest.windows import KEPT_DAYS, Closed, Item, Window
from shared.contract import ids, messages, records
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel, Reason
from shared.contract.records import Record


def expires_on(now: datetime) -> date:
    """The partition of a digest flushed now and of its delivery."""
    return now.astimezone(UTC).date() + timedelta(days=KEPT_DAYS)


def delivery_id(tenant: str, subject: UUID, recipient: str) -> UUID:
    """The id of a subject's way to a recipient's mail address."""
    return ids.delivery(tenant, subject, recipient, ids.EMAIL)


def deliveries(closed: Iterable[Closed], now: datetime) -> list[Record]:
    """The first attempt at the mail of each window that has one."""
    return [records.delivery(_request(each.window, now)) for each in closed if each.members]


def _request(window: Window, now: datetime) -> messages.DeliveryRequested:
    return messages.DeliveryRequested(
        id=delivery_id(window.tenant, window.id, window.recipient),
        at=now,
        tenant=window.tenant,
        subject="digest",
        subject_id=window.id,
        recipient=window.recipient,
        endpoint=ids.EMAIL,
        channel=Channel.EMAIL,
        lane=Lane.ROUTINE,
        attempt=1,
        accepted_at=now,
        expires_on=expires_on(now),
    )


def events(closed: Sequence[Closed], now: datetime) -> Iterator[Record]:
    """`digested` for each member, `skipped` for each item left out."""
    for each in closed:
        for item in each.members:
            yield _digested(each.window, item, now)
        for item, reason in each.left_out:
            yield _skipped(each.window, item, reason, now)


def _digested(window: Window, item: Item, now: datetime) -> Record:
    detail = {"recipient": window.recipient, "channel": Channel.EMAIL, "digest_id": str(window.id)}
    return records.event("digested", window.tenant, item.notification_id, now, detail, window.recipient)


def _skipped(window: Window, item: Item, reason: Reason, now: datetime) -> Record:
    detail = {"recipient": window.recipient, "channel": Channel.EMAIL, "reason": reason}
    return records.event("skipped", window.tenant, item.notification_id, now, detail, window.recipient, Channel.EMAIL)


def opened(window: Window, now: datetime) -> Record:
    """A window that opened."""
    return records.window_opened(
        messages.WindowOpened(
            id=window.id,
            at=now,
            tenant=window.tenant,
            recipient=window.recipient,
            class_key=window.class_key,
            opened_at=window.opened_at,
            due_at=window.due_at,
        )
    )
