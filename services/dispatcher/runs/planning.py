"""Which runs a notification asks for, and what a run is: plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
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


class Asked(NamedTuple):
    """The run that a script's `number`th schedule asked for; `by` is the run of the script."""

    by: str
    number: int
    script: str
    due_at: datetime

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Asked":
        """What `kept` was written of."""
        return cls(kept["by"], kept["number"], kept["script"], datetime.fromisoformat(kept["due_at"]))

    def kept(self) -> dict[str, Any]:
        """Itself as JSON."""
        return {**self._asdict(), "due_at": self.due_at.isoformat()}


def asked_for(run: Run, number: int, later: Later, now: datetime) -> Asked:
    """What a script's `number`th schedule asks for."""
    return Asked(str(run.id), number, later.script, now + timedelta(seconds=later.after_seconds))


def later_run(about: tuple[str, UUID, date], asked: Asked, recipient: str | None) -> Planned:
    """The run for a recipient of a notification (tenant, id, expires_on); its id is the same when asked for again."""
    tenant, notification, expires_on = about
    handle = ids.derived("run", [tenant, asked.by, asked.number, asked.script, recipient or ""])
    return Planned(tenant, handle, RunKind.SCRIPT, asked.script, notification, expires_on, recipient, asked.due_at)


def _first(plan: Plan, kind: RunKind, name: str, now: datetime) -> Planned:
    subject = plan.subject
    handle = ids.derived("run", [subject.tenant, str(subject.id), kind, name])
    return Planned(subject.tenant, handle, kind, name, subject.id, subject.lifetime.expires_on, None, now)
