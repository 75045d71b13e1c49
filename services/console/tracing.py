"""Why a notification reached a recipient, did not, or will later (X9): plain functions of what the record knows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.console.store.traces import Attempt, Delivery, Item, Moment, Story
from shared.contract import ids
from shared.contract.outcomes import Channel, DeliveryState, EmailPlan, Reason

PENDING = "pending"
"""The state of a delivery that is meant but has no row yet."""

_UNDER_WAY = frozenset({PENDING, DeliveryState.LEASED, DeliveryState.RETRY})


class TraceState(StrEnum):
    """Where a notification stands as a whole."""

    SCHEDULED = "scheduled"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    ENDED = "ended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class TracedDelivery:
    """One way to one recipient: `digest_id` where it is a digest's mail, `due_at` when the next step is due."""

    recipient: str
    channel: str
    endpoint: str
    state: str
    reason: str | None
    digest_id: UUID | None = None
    due_at: datetime | None = None
    delivery_id: UUID | None = None
    attempts: Sequence[Attempt] = field(default=())


@dataclass(frozen=True, slots=True)
class Known:
    """What the record knows about the deliveries to some recipients.

    `own` are the notification's deliveries, `digests` those of the digests it stands in; `attempts` by delivery.
    """

    items: Sequence[Item]
    own: Sequence[Delivery]
    digests: Sequence[Delivery]
    attempts: Mapping[UUID, Sequence[Attempt]]


def deliveries_of(known: Known) -> list[TracedDelivery]:
    """Every way that was meant to reach these recipients: made, skipped, or still to come."""
    made = [_traced(delivery, known.attempts, None) for delivery in known.own]
    present = {(delivery.recipient, delivery.channel, delivery.endpoint) for delivery in known.own}
    by_digest = {delivery.subject_id: delivery for delivery in known.digests}
    for item in known.items:
        made += _pushes(item, present)
        if (item.recipient, Channel.EMAIL, ids.EMAIL) not in present:
            made += _emails(item, by_digest, known.attempts)
    return sorted(made, key=lambda one: (one.recipient, one.channel, one.endpoint))


def _pushes(item: Item, present: set[tuple[str, str, str]]) -> Iterator[TracedDelivery]:
    for endpoint in map(str, item.push_endpoints):
        if (item.recipient, Channel.PUSH, endpoint) not in present:
            yield TracedDelivery(item.recipient, Channel.PUSH, endpoint, PENDING, Reason.NOT_CLAIMED_YET)


def _emails(
    item: Item, by_digest: Mapping[UUID, Delivery], attempts: Mapping[UUID, Sequence[Attempt]]
) -> Iterator[TracedDelivery]:
    if item.email_plan == EmailPlan.NONE:
        return
    state: str = PENDING
    reason: str | None = Reason.NOT_CLAIMED_YET if item.email_plan == EmailPlan.IMMEDIATE else Reason.WINDOW_OPEN
    if item.email_skipped is not None:
        state, reason = DeliveryState.SKIPPED, item.email_skipped
    elif item.digest_id is not None and item.digest_id in by_digest:
        yield _traced(by_digest[item.digest_id], attempts, item.digest_id)
        return
    due_at = item.window_due_at if reason == Reason.WINDOW_OPEN else None
    yield TracedDelivery(item.recipient, Channel.EMAIL, ids.EMAIL, state, reason, item.digest_id, due_at)


def _traced(delivery: Delivery, attempts: Mapping[UUID, Sequence[Attempt]], digest_id: UUID | None) -> TracedDelivery:
    return TracedDelivery(
        delivery.recipient, delivery.channel, delivery.endpoint, delivery.state, delivery.reason, digest_id,
        delivery.due_at, delivery.id, attempts.get(delivery.id, ()),
    )  # fmt: skip


def state_of(story: Story, deliveries: Iterable[TracedDelivery]) -> TraceState:
    """Where the notification stands; one without a row waits for its time or for intake, or has gone already."""
    if story.is_cancelled or (story.expires_on is None and story.schedule_state == "cancelled"):
        return TraceState.CANCELLED
    if story.expires_on is None:
        if story.taken_in_at is not None:
            return TraceState.EXPIRED
        return TraceState.SCHEDULED if story.schedule_state == "pending" else TraceState.ACCEPTED
    if story.is_expired:
        return TraceState.EXPIRED
    going_on = story.is_fanning_out or story.is_under_way
    if going_on or any(delivery.state in _UNDER_WAY for delivery in deliveries):
        return TraceState.IN_PROGRESS
    return TraceState.ENDED


def timeline_of(story: Story, moments: Sequence[Moment]) -> list[Moment]:
    """What happened, in the order of time, with what the record tells elsewhere."""
    told = {moment.event for moment in moments}
    every = list(moments)
    if story.accepted_at is not None:
        if "accepted" not in told:
            every.append(Moment(story.accepted_at, "accepted", {}))
        if story.schedule_id is not None and story.due_at is not None:
            detail = {"schedule_id": story.schedule_id, "due_at": story.due_at}
            every.append(Moment(story.accepted_at, "scheduled", detail))
    return sorted(every, key=lambda moment: moment.at)
