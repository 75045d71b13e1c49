"""What a closing window decides, and which windows are due: plain functions and values.

An item is what one recipient has of one notification; it ends as a member of the window's digest or left out with a
reason. Nothing here knows a database, a broker or a clock.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.contract import ids, known_options
from shared.contract.importance import Lane
from shared.contract.outcomes import Reason

KEPT_DAYS = 7
"""A digest and its delivery expire so many days after the flush."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window of one recipient and class; its id becomes the digest's."""

    tenant: str
    recipient: str
    class_key: str
    id: UUID
    opened_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """An unsent item of a window.

    `expires_on` is its partition; `user_kind` is None where the directory does not know the recipient; `is_gone` says
    that the notification is no longer there. `is_unsubscribed`: the recipient wants no mail of its class or asset.
    """

    window_id: UUID
    notification_id: UUID
    expires_on: date
    lane: Lane
    accepted_at: datetime
    expires_at: datetime | None
    is_gone: bool
    is_dismissed: bool
    is_completed: bool
    is_cancelled: bool
    is_unsubscribed: bool
    user_kind: str | None
    has_address: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """A window's end: the items of its mail, and those left out with the reason; no members means no mail."""

    window: Window
    members: tuple[Item, ...]
    left_out: tuple[tuple[Item, Reason], ...]


def closed(windows: Iterable[Window], items: Iterable[Item], now: datetime) -> list[Closed]:
    """How each window ends."""
    by_window: defaultdict[UUID, list[tuple[Item, Reason | None]]] = defaultdict(list)
    for item in items:
        by_window[item.window_id].append((item, why_left_out(item, now)))
    return [
        Closed(
            window,
            tuple(item for item, reason in by_window[window.id] if reason is None),
            tuple((item, reason) for item, reason in by_window[window.id] if reason is not None),
        )
        for window in windows
    ]


def why_left_out(item: Item, now: datetime) -> Reason | None:
    """Why an item is not in the mail (C9, C13), or None when it is."""
    reasons = (
        (item.is_cancelled, Reason.CANCELLED),
        (item.is_gone or (item.expires_at is not None and item.expires_at <= now), Reason.EXPIRED),
        (item.is_dismissed, Reason.DISMISSED),
        (item.is_completed, Reason.COMPLETED),
        (item.is_unsubscribed, Reason.UNSUBSCRIBED),
        (item.user_kind is None, Reason.UNKNOWN_RECIPIENT),
        (item.user_kind == "system", Reason.SYSTEM_USER),
        (not item.has_address, Reason.NO_ADDRESS),
    )
    return next((reason for applies, reason in reasons if applies), None)


@dataclass(frozen=True, slots=True)
class Stray:
    """An unsent item without an open window; `options` are its notification's, merged over the class's."""

    tenant: str
    recipient: str
    class_key: str
    created_at: datetime
    options: Mapping[str, Any]


def opened_for(strays: Iterable[Stray], default_seconds: int, now: datetime) -> list[Window]:
    """One window for each recipient and class with strays, due a window's length after the oldest of them."""
    due: dict[tuple[str, str, str], datetime] = {}
    for stray in strays:
        key = (stray.tenant, stray.recipient, stray.class_key)
        at = stray.created_at + timedelta(seconds=window_seconds(stray.options, default_seconds))
        due[key] = min(at, due.get(key, at))
    return [Window(*key, ids.digest(*key, now), now, at) for key, at in sorted(due.items())]


def window_seconds(options: Mapping[str, Any], default_seconds: int) -> int:
    """A class's window length (C10), the default where it names none or what no door would have taken."""
    given = options.get("window_seconds")
    return given if known_options.is_window(given) else default_seconds


class Alarms:
    """When windows are due, soonest first; what is forgotten never rings, what is not stays until it is."""

    def __init__(self) -> None:
        self._due: dict[bytes, datetime] = {}
        self._queue: list[tuple[datetime, bytes]] = []

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: bytes, due_at: datetime) -> None:
        """Ring for a key at a time, and at no other."""
        if self._due.get(key) != due_at:
            self._due[key] = due_at
            heapq.heappush(self._queue, (due_at, key))

    def forget(self, keys: Iterable[bytes]) -> None:
        """Do not ring for these any more."""
        for key in keys:
            self._due.pop(key, None)

    def due(self, now: datetime, most: int) -> Sequence[bytes]:
        """At most so many keys whose time has come, soonest first; they ring again until they are forgotten."""
        ringing: dict[bytes, datetime] = {}
        while self._queue and self._queue[0][0] <= now and len(ringing) < most:
            at, key = heapq.heappop(self._queue)
            if self._due.get(key) == at:
                ringing[key] = at
        for key, at in ringing.items():
            heapq.heappush(self._queue, (at, key))
        return list(ringing)
