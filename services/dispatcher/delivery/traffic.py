"""Deliveries on their way out: a queue a destination, as many senders as it bears, nothing held for long."""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from services.dispatcher.delivery.admission import Limits, Load, Speed, admits, crowded
from services.dispatcher.delivery.ports import Busy, Claim, Receipt
from shared.clock import Clock

_REMEMBERED = 10_000
"""Destinations of which the speed is remembered; beyond it a tenth is forgotten, of those that are idle."""

Send = Callable[[Claim], Awaitable[Receipt | Busy]]


@dataclass(frozen=True, slots=True)
class Ends:
    """Whom to tell: of an attempt's receipt and seconds, and of a claim to give back for some seconds."""

    answered: Callable[[Claim, Receipt, float], None]
    put_off: Callable[[Claim, float], None]


@dataclass(slots=True)
class _Destination:
    """One destination: what waits for it with the time it was claimed at, and when each running send began."""

    speed: Speed = field(default_factory=Speed)
    waiting: deque[tuple[Claim, float]] = field(default_factory=deque)
    begun: dict[int, float] = field(default_factory=dict)
    senders: int = 0

    def load(self, held: int, now: float) -> Load:
        oldest = now - next(iter(self.begun.values())) if self.begun else 0.0
        return Load(len(self.waiting), len(self.begun), held, oldest)


class Traffic:
    """Runs sends side by side within a task group; `send` must not raise."""

    def __init__(self, group: asyncio.TaskGroup, limits: Limits, send: Send, ends: Ends, clock: Clock) -> None:
        self._group = group
        self._clock = clock
        self._limits = limits
        self._send = send
        self._ends = ends
        self._destinations: dict[str, _Destination] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()

    def admit(self, name: str, claim: Claim, held: int) -> None:
        """Send a claim as soon as its destination can take it, or put it off where that would take too long.

        `held` is how many claims are under way in all.
        """
        now = self._clock.monotonic()
        destination = self._known(name)
        if not admits(destination.load(held, now), destination.speed, self._limits, now):
            self._put_back(destination, claim)
            return
        destination.waiting.append((claim, now))
        if destination.senders < self._limits.connections:
            destination.senders += 1
            sender = self._group.create_task(self._sending(destination))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)

    def crowded(self, more: int) -> bool:
        """Whether a destination should catch up before so many more are read."""
        now = self._clock.monotonic()
        return any(
            crowded(destination.load(0, now), destination.speed, self._limits, more, now)
            for destination in self._destinations.values()
        )

    def sweep(self) -> None:
        """Put off what has waited too long behind sends that take their time."""
        latest = self._clock.monotonic() - self._limits.wait_seconds
        for destination in self._destinations.values():
            while destination.waiting and destination.waiting[0][1] < latest:
                self._put_back(destination, destination.waiting.popleft()[0])

    def withdrawn(self) -> Iterator[Claim]:
        """Take back what has not begun to be sent."""
        for destination in self._destinations.values():
            while destination.waiting:
                yield destination.waiting.popleft()[0]

    async def ended(self) -> None:
        """Wait until every send under way has its receipt."""
        if self._senders:
            await asyncio.wait(self._senders)

    def _known(self, name: str) -> _Destination:
        if name not in self._destinations and len(self._destinations) >= _REMEMBERED:
            self._forget_some()
        return self._destinations.setdefault(name, _Destination())

    def _forget_some(self) -> None:
        """Forget idle destinations: the oldest of those that bear a send now, then those that will bear one soonest."""
        idle = [(name, each.speed) for name, each in self._destinations.items() if not each.senders]
        idle.sort(key=lambda known: max(known[1].busy_until, known[1].next_turn))
        for name, _ in idle[: _REMEMBERED // 10]:
            del self._destinations[name]

    async def _sending(self, destination: _Destination) -> None:
        """One sender: takes what waits until nothing does."""
        try:
            while destination.waiting:
                await self._next(destination)
        finally:
            destination.senders -= 1

    async def _next(self, destination: _Destination) -> None:
        claim, since = destination.waiting.popleft()
        speed, clock = destination.speed, self._clock.monotonic
        begun = clock()
        # Nobody sweeps while the next batch cannot be claimed: what is too old may be in other hands by now.
        if begun < speed.busy_until or since < begun - self._limits.wait_seconds:
            self._put_back(destination, claim)
            return
        number = next(self._numbers)
        destination.begun[number] = begun
        try:
            answer = await self._send(claim)
        finally:
            del destination.begun[number]
        now = clock()
        if isinstance(answer, Busy):
            speed.refused(now, answer.seconds)
            self._put_back(destination, claim)
        else:
            speed.sent(now - begun)
            self._ends.answered(claim, answer, now - begun)

    def _put_back(self, destination: _Destination, claim: Claim) -> None:
        now = self._clock.monotonic()
        self._ends.put_off(claim, destination.speed.turn(now, self._limits.connections))
