"""What the demo sends: made from a run's name alone, so that what must arrive is known before anything is sent."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

REQUESTS = 200
INVALID = 5
DUPLICATES = 5
SOURCE = "demo"
WINDOW_SECONDS = 5

# Class → its options; the keys are what the console is told.
CLASSES: dict[str, dict[str, Any]] = {
    "alarms": {"email": "immediate"},
    "enquiries": {"email": "digest", "window_seconds": WINDOW_SECONDS},
    "reports": {"email": "digest", "window_seconds": WINDOW_SECONDS},
}
_SUBJECTS = (
    ("alarms", "danger", "Pump {n} has stopped", "Pressure fell below 2 bar. [Open the plant view](https://plant.example/{n})."),
    ("alarms", "warning", "Tank {n} is nearly full", "Level at 93 %. Drain before the next delivery."),
    ("enquiries", "primary", "Customer enquiry {n}", "Please answer by Friday: **delivery date** of order {n}."),
    ("enquiries", "info", "Enquiry {n} was forwarded", "Sales passed it on to your team."),
    ("reports", "success", "Report {n} is ready", "The figures of last week, [as a table](https://reports.example/{n})."),
    ("reports", "default", "Report {n} was archived", "Nothing to do; it stays in the inbox only."),
)  # fmt: skip
_TOKEN = re.compile(r"\b(demo[0-9a-f]{8}\d{3})\b")


class Door(StrEnum):
    """Where a request goes in."""

    HTTP = "http"
    TOPIC = "topic"


class Kind(StrEnum):
    """What a request is in the demo."""

    VALID = "valid"
    INVALID = "invalid"
    DUPLICATE = "duplicate"


class Way(StrEnum):
    """How something arrives."""

    WEBHOOK = "webhook"
    MAIL = "mail"
    DIGEST = "digest"


@dataclass(frozen=True)
class Request:
    """One request: its body, the token in its name by which arrivals are recognised, and its idempotency key."""

    door: Door
    kind: Kind
    token: str
    body: dict[str, Any] = field(hash=False)

    @property
    def key(self) -> str:
        """The idempotency key."""
        return str(self.body["idempotency_key"])


@dataclass(frozen=True)
class Arrival:
    """Something that shall arrive, or did: one notification, one recipient, one way."""

    way: Way
    recipient: str
    token: str


def requests(run: str, users: Sequence[str]) -> list[Request]:
    """The demo's requests in sending order; duplicates come after what they repeat.

    Args:
        run: 8 hexadecimal digits that no other run has.
        users: the demo's recipients.
    """
    choice = random.Random(run)  # noqa: S311 - a workload, no secret
    valid = [_valid(run, number, users, choice) for number in range(REQUESTS - INVALID - DUPLICATES)]
    invalid = [_invalid(run, number, users) for number in range(INVALID)]
    # Through the HTTP door, whose answer names the one notification, whichever door the first went through.
    repeated = choice.sample(valid[: len(valid) // 2], DUPLICATES)
    duplicates = [Request(Door.HTTP, Kind.DUPLICATE, first.token, first.body) for first in repeated]
    tail = [*valid[len(valid) // 2 :], *invalid, *duplicates]
    choice.shuffle(tail)
    return [*valid[: len(valid) // 2], *tail]


def expected(sent: Sequence[Request]) -> set[Arrival]:
    """What must arrive of these requests: nothing twice, nothing for what is invalid."""
    return {
        Arrival(way, recipient, request.token)
        for request in sent
        if request.kind is Kind.VALID
        for recipient in request.body["recipients"]
        for way in _ways(request.body)
    }


def tokens(text: str) -> list[str]:
    """The tokens of notifications in a text, each once."""
    return list(dict.fromkeys(_TOKEN.findall(text)))


def _ways(body: dict[str, Any]) -> Iterator[Way]:
    if body["importance"] == "default":  # not marked for sending: the inbox only
        return
    yield Way.WEBHOOK
    yield Way.MAIL if CLASSES[body["class"]]["email"] == "immediate" else Way.DIGEST


def _valid(run: str, number: int, users: Sequence[str], choice: random.Random) -> Request:
    class_key, importance, name, description = _SUBJECTS[number % len(_SUBJECTS)]
    token = f"demo{run}{number:03}"
    body = {
        "source": SOURCE,
        "name": f"{name.format(n=1000 + number)} ({token})",
        "description": description.format(n=1000 + number),
        "recipients": choice.sample(list(users), choice.randint(1, 4)),
        "importance": importance,
        "class": class_key,
        "items": [{"table": "case", "id": str(1000 + number)}],
        "idempotency_key": token,
    }
    return Request(Door.HTTP if number % 2 == 0 else Door.TOPIC, Kind.VALID, token, body)


def _invalid(run: str, number: int, users: Sequence[str]) -> Request:
    token = f"demo{run}{900 + number}"
    body: dict[str, Any] = {
        "source": SOURCE, "name": f"Never sent ({token})", "description": "Not valid.", "recipients": [users[0]],
        "importance": "info", "class": "enquiries", "idempotency_key": token,
    }  # fmt: skip
    faults: tuple[dict[str, Any], ...] = (
        {"importance": "catastrophic"},
        {"name": "x" * 5_000},
        {"recipients": []},
        {"unheard_of": True},
        {"description": ""},
    )
    return Request(Door.HTTP if number % 2 == 0 else Door.TOPIC, Kind.INVALID, token, body | faults[number])
