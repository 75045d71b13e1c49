"""Whether a notification has ended everywhere, and what its tenant's admins are told of it (B12): plain functions."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared import words
from shared.contract.outcomes import DeliveryState
from shared.words import Words

CLASS = "completion"
SOURCE = "tocsin"

_FIRST_LOOK_SECONDS = 1.0
_LONGEST_LOOK_SECONDS = 60.0
_AGE_SHARE = 10
"""A notification is looked at after each further tenth of its age: the mail is late by a tenth at most."""

_LONGEST_NAME = 255
_LONGEST_TEXT = 4_096

_UNDER_WAY = frozenset({DeliveryState.LEASED, DeliveryState.RETRY})


@dataclass(frozen=True, slots=True)
class Tally:
    """How many deliveries of a channel are in a state, by reason."""

    channel: str
    state: DeliveryState
    reason: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Admin:
    """Who is told, and in the language of which locale."""

    id: str
    locale: str | None


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


def reports(standing: Standing, admins: Iterable[Admin]) -> list[dict[str, Any]]:
    """The notifications that tell the admins, as native bodies, one a language: by mail, at once, and once.

    They name no recipient: whom a text names, an erasure does not find. The command they end with does.
    """
    by_language: dict[str, list[str]] = defaultdict(list)
    for admin in admins:
        by_language[words.language_of(admin.locale)].append(admin.id)
    return [
        _report(standing, recipients, words.in_language(language))
        for language, recipients in sorted(by_language.items())
    ]


def _report(standing: Standing, recipients: list[str], said: Words) -> dict[str, Any]:
    return {
        "source": SOURCE,
        "name": said.text("completion", "name", name=standing.name)[:_LONGEST_NAME],
        "description": _text(standing, said),
        "recipients": recipients,
        "importance": "info",
        "class": CLASS,
        "channels": ["email"],
        "options": {"email": "immediate"},
        "idempotency_key": f"completion/{standing.id}/{said.language}",
    }


def _text(standing: Standing, said: Words) -> str:
    lines = [said.counted("completion", "ended", standing.recipients, name=standing.name), ""]
    none = said.text("completion", "none")
    lines += [f"- {line}" for line in [_counts(standing, channel, said) for channel in _channels(standing)] or [none]]
    lost = standing.meant - standing.begun
    if lost > 0:
        lines.append("- " + said.counted("completion", "lost", lost))
    end = "\n\n" + said.text("completion", "each", command=f"`tocsin trace {standing.id}`")
    return "\n".join(lines)[: _LONGEST_TEXT - len(end)] + end


def _channels(standing: Standing) -> list[str]:
    return sorted({each.channel for each in standing.tallies})


def _counts(standing: Standing, channel: str, said: Words) -> str:
    counts: Counter[str] = Counter()
    for each in standing.tallies:
        if each.channel == channel:
            why = f" ({each.reason})" if each.reason and each.state is not DeliveryState.SENT else ""
            counts[said.text("delivery", each.state) + why] += each.count
    every = sorted(counts.items(), key=lambda pair: -pair[1])
    told = ", ".join(f"{said.number(count)} {state}" for state, count in every)
    return f"{said.text('channel', channel)}: {told}"
