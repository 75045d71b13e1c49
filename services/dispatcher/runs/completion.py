"""Whether a notification has ended everywhere, and what its tenant's admins are told of it (B12): plain functions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.contract.outcomes import DeliveryState

CLASS = "completion"
SOURCE = "tocsin"

_FIRST_LOOK_SECONDS = 1.0
_LONGEST_LOOK_SECONDS = 60.0
_AGE_SHARE = 10
"""A notification is looked at after each further tenth of its age: the mail is late by a tenth at most."""

_LONGEST_NAME = 255
_LONGEST_TEXT = 4_096
_MOST_FAILURES = 20

_UNDER_WAY = frozenset({DeliveryState.LEASED, DeliveryState.RETRY})
_FAILURES = frozenset({DeliveryState.DEAD, DeliveryState.EXPIRED, DeliveryState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Tally:
    """How many deliveries of a channel are in a state, by reason."""

    channel: str
    state: DeliveryState
    reason: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Failure:
    """One delivery that failed."""

    recipient: str
    channel: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a notification stands.

    `meant` deliveries were decided on when it was taken in, `begun` of them have a row; `undigested` items wait for
    their digest. `is_past`: it has expired, so nothing more can become of it.
    """

    id: UUID
    name: str
    recipients: int
    meant: int
    begun: int
    undigested: int
    is_past: bool
    tallies: Sequence[Tally]

    @property
    def has_ended(self) -> bool:
        """Whether its last delivery has ended."""
        waiting = self.undigested or self.begun < self.meant or any(each.state in _UNDER_WAY for each in self.tallies)
        return self.is_past or not waiting


def next_look_seconds(age_seconds: float) -> float:
    """How long to wait before the next look at a notification of this age."""
    return min(_LONGEST_LOOK_SECONDS, max(_FIRST_LOOK_SECONDS, age_seconds / _AGE_SHARE))


def report(standing: Standing, failures: Iterable[Failure], admins: Sequence[str]) -> dict[str, Any]:
    """The notification that tells the admins, as a native body: by mail, at once, once however often it is asked."""
    return {
        "source": SOURCE,
        "name": f"Ended: {standing.name}"[:_LONGEST_NAME],
        "description": _text(standing, failures)[:_LONGEST_TEXT],
        "recipients": list(admins),
        "importance": "info",
        "class": CLASS,
        "channels": ["email"],
        "options": {"email": "immediate"},
        "idempotency_key": f"completion/{standing.id}",
    }


def _text(standing: Standing, failures: Iterable[Failure]) -> str:
    lines = [f"The last delivery of “{standing.name}” to {_many(standing.recipients, 'recipient')} has ended.", ""]
    lines += [f"- {channel}: {_counts(standing, channel)}" for channel in _channels(standing)] or ["- no deliveries"]
    lost = standing.meant - standing.begun
    if lost > 0:
        lines.append(f"- {lost:,} expired before they began")
    told = [f"- {one.recipient}: {one.channel}, {one.reason}" for one in failures]
    if told:
        lines += ["", "Failed:" if len(told) <= _MOST_FAILURES else f"The first {_MOST_FAILURES} that failed:", ""]
    return "\n".join([*lines, *told[:_MOST_FAILURES], "", f"`tocsin trace {standing.id}` tells the rest."])


def _channels(standing: Standing) -> list[str]:
    return sorted({each.channel for each in standing.tallies})


def _counts(standing: Standing, channel: str) -> str:
    counts: Counter[str] = Counter()
    for each in standing.tallies:
        if each.channel == channel:
            why = f" ({each.reason})" if each.reason and each.state is not DeliveryState.SENT else ""
            counts[f"{each.state}{why}"] += each.count
    return ", ".join(f"{count:,} {said}" for said, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def failed_states() -> list[str]:
    """The states whose deliveries are named one by one."""
    return sorted(_FAILURES)
