"""Which runs a notification asks for, and what a run is: plain values."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.dispatcher.policy import Plan
from shared.contract import ids
from shared.plugins import DEFAULT_SCRIPT
from shared.scripts import Later


class RunKind(StrEnum):
    """What is run; COMPLETION looks whether a notification has ended, and tells its tenant's admins."""

    SCRIPT = "script"
    JOB = "job"
    COMPLETION = "completion"


class Planned(NamedTuple):
    """A run to be stored; `recipient` None is the notification as a whole."""

    tenant: str
    id: UUID
    kind: RunKind
    name: str
    notification_id: UUID
    expires_on: date
    recipient: str | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """A leased run; `fence` guards its end."""

    tenant: str
    id: UUID
    kind: RunKind
    name: str
    notification_id: UUID
    expires_on: date
    recipient: str | None
    attempt: int
    fence: int
    age_seconds: float


def runs_of(plan: Plan, now: datetime) -> Iterator[Planned]:
    """The runs of a notification that is taken in; of most there are none."""
    message = plan.message
    if message.script != DEFAULT_SCRIPT:
        yield _first(plan, RunKind.SCRIPT, message.script, now)
    if message.job is not None:
        yield _first(plan, RunKind.JOB, message.job, now)
    if message.completion_email:
        yield _first(plan, RunKind.COMPLETION, RunKind.COMPLETION, now)


def later_run(run: Run, number: int, later: Later, recipient: str | None, now: datetime) -> Planned:
    """The run that a script's `number`th schedule asks for; its id is the same when the script is run again."""
    handle = ids.derived("run", [run.tenant, str(run.id), number, later.script, recipient or ""])
    return Planned(
        run.tenant, handle, RunKind.SCRIPT, later.script, run.notification_id, run.expires_on, recipient,
        now + timedelta(seconds=later.after_seconds),
    )  # fmt: skip


def _first(plan: Plan, kind: RunKind, name: str, now: datetime) -> Planned:
    subject = plan.subject
    handle = ids.derived("run", [subject.tenant, str(subject.id), kind, name])
    return Planned(subject.tenant, handle, kind, name, subject.id, subject.lifetime.expires_on, None, now)
