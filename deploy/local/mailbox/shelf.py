"""What was caught, in order, within a bound of memory: the oldest gives way."""

import collections
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

OVERHEAD_BYTES = 700  # what the objects around a caught thing take beside its bytes, measured roughly


class Caught(Protocol):
    """Something on a shelf."""

    @property
    def number(self) -> int:
        """Its place in the order of arrival, from 1."""

    @property
    def size(self) -> int:
        """Its own bytes."""


Thing = TypeVar("Thing", bound=Caught)


class Shelf(Generic[Thing]):
    """Things in order of arrival; holds at most `capacity_bytes`, and counts what it dropped for that."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._things: collections.deque[Thing] = collections.deque()
        self._held_bytes = 0
        self.received = 0
        self.dropped = 0

    def __iter__(self) -> Iterator[Thing]:
        return iter(self._things)

    def __reversed__(self) -> Iterator[Thing]:
        return reversed(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: Thing) -> None:
        """Put it behind the newest; what no longer fits is dropped from the oldest on, never the newest itself."""
        self._things.append(thing)
        self.received += 1
        self._held_bytes += thing.size + OVERHEAD_BYTES
        while self._held_bytes > self._capacity_bytes and len(self._things) > 1:
            self._held_bytes -= self._things.popleft().size + OVERHEAD_BYTES
            self.dropped += 1

    def find(self, number: int) -> Thing | None:
        """The thing with this number while it is held; numbers on a shelf rise by one."""
        if not self._things:
            return None
        place = number - self._things[0].number
        return self._things[place] if 0 <= place < len(self._things) else None

    def clear(self) -> None:
        """Forget everything, the counts included."""
        self._things.clear()
        self._held_bytes = self.received = self.dropped = 0

    def counts(self) -> dict[str, int]:
        """`count` held now; `received` and `dropped` since the start or the last clearing."""
        return {"count": len(self), "received": self.received, "dropped": self.dropped}
