"""What others are told about the end of a delivery: events, dead letters, endpoints disabled. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.dispatcher.delivery.outcomes import Outcome
from services.dispatcher.delivery.ports import Mailbox
from shared.contract import records
from shared.contract.messages import DeliveryRequested, EventName
from shared.contract.outcomes import DeliveryState, Reason
from shared.contract.records import Record
from shared.postgres import dead_letters
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.suppressions import Cause, Suppressed

_EVENTS: dict[DeliveryState, EventName] = {
    DeliveryState.SENT: "delivered",
    DeliveryState.DEAD: "failed",
    DeliveryState.SKIPPED: "skipped",
    DeliveryState.CANCELLED: "skipped",
    DeliveryState.EXPIRED: "skipped",
}
"""What the end of a delivery is called; `cancelled` and `expired` are events of a notification as a whole."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery that has come to an end: how, why, and which notifications it was to tell of."""

    request: DeliveryRequested
    state: DeliveryState
    reason: Reason | None
    notifications: Sequence[UUID]


def told_of(ended: Ended, now: datetime) -> list[Record]:
    """One event for each notification of a delivery that ended."""
    request = ended.request
    about: dict[str, Any] = {
        "recipient": request.recipient,
        "channel": request.channel,
        "endpoint": request.endpoint,
        "delivery_id": str(request.id),
        "attempt": request.attempt,
    }
    if ended.reason is not None:
        about["reason"] = ended.reason
    if request.subject == "digest":
        about["digest_id"] = str(request.subject_id)
    name = _EVENTS[ended.state]
    return [
        records.event(name, request.tenant, notification, now, about, request.recipient, request.endpoint)
        for notification in ended.notifications
    ]


def records_of(outcome: Outcome, now: datetime) -> list[Record]:
    """What an outcome makes known; nothing while its delivery is still on the way."""
    if outcome.state is DeliveryState.RETRY:
        return []
    request = outcome.claim.request
    notifications = [notice.id for notice in outcome.claim.notices]
    notifications += [member.id for member in outcome.claim.unshown]
    told = told_of(Ended(request, outcome.state, outcome.reason, notifications), now)
    if outcome.state is DeliveryState.DEAD:
        told.append(dead_letter(outcome).record())
    if outcome.attempt is not None and outcome.attempt.gone:
        told.append(_endpoint_disabled(outcome, now))
    return told


def dead_letter(outcome: Outcome) -> DeadLetter:
    """The dead letter of a delivery that was given up."""
    detail = outcome.attempt.detail if outcome.attempt else ""
    return dead_letters.of_delivery(outcome.claim.request, outcome.reason or Reason.INTERNAL, detail)


def suppressed(outcome: Outcome) -> list[Suppressed]:
    """The address of a mail that the relay knows no mailbox for: there and then is the best time to learn it."""
    claim, attempt = outcome.claim, outcome.attempt
    if attempt is None or not attempt.no_mailbox or not isinstance(claim.target, Mailbox):
        return []
    request = claim.request
    return [Suppressed(request.tenant, claim.target.address, Cause.REFUSED, attempt.detail, request.id)]


def _endpoint_disabled(outcome: Outcome, now: datetime) -> Record:
    request = outcome.claim.request
    about = {"recipient": request.recipient, "reason": Reason.ENDPOINT_GONE}
    return records.endpoint_disabled(request.tenant, request.endpoint, now, about, str(request.id))
