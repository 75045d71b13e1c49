"""The stages a newly taken in notification passes before its recipients are looked at; each is a plain function."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.dispatcher.policy import Plan
from shared.contract.outcomes import Reason


class ScheduleState(StrEnum):
    """Where a schedule stands in the record."""

    PENDING = "pending"
    RELEASED = "released"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A plan at the moment it is taken in; `schedule` is None for what was never scheduled."""

    plan: Plan
    schedule: ScheduleState | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Dropped:
    """A plan that goes no further, and why."""

    plan: Plan
    reason: Reason


def not_cancelled(arrival: Arrival) -> Arrival | Dropped:
    """A schedule that was cancelled between its release and now takes its notification with it."""
    if arrival.schedule is ScheduleState.CANCELLED:
        return Dropped(arrival.plan, Reason.CANCELLED)
    return arrival


def not_expired(arrival: Arrival) -> Arrival | Dropped:
    """What is past its end when it comes in reaches nobody."""
    expires_at = arrival.plan.subject.lifetime.expires_at
    if expires_at is not None and expires_at <= arrival.now:
        return Dropped(arrival.plan, Reason.EXPIRED)
    return arrival
