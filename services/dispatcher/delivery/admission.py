"""Whether a destination can take one more delivery, so that a slow one costs the others nothing. Pure."""

from dataclasses import dataclass, field

_FIRST_GUESS_SECONDS = 0.1
"""How long a send takes at a destination nothing is known of yet; while its first sends hang, their age tells more."""

_SLOW_SECONDS = 1.0
"""A destination slower than this may not hold more than is left free for the others."""

_MEMORY = 0.2
"""Weight of the newest send in what is remembered of a destination's speed."""

_LONGEST_BUSY_SECONDS = 60.0
_LONGEST_PUT_OFF_SECONDS = 300.0
_SHORTEST_PUT_OFF_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one lane's sink: deliveries held in all, sends to one destination, and the wait for it."""

    in_flight: int
    connections: int
    wait_seconds: float


@dataclass(slots=True)
class Speed:
    """What is known of one destination; times are of a monotonic clock."""

    send_seconds: float = _FIRST_GUESS_SECONDS
    busy_until: float = 0.0
    busy_in_a_row: int = 0
    next_turn: float = 0.0

    def sent(self, seconds: float) -> None:
        """Remember how long a send took."""
        self.send_seconds += _MEMORY * (seconds - self.send_seconds)
        self.busy_in_a_row = 0

    def refused(self, now: float, seconds: float) -> None:
        """The destination asked to be left alone: for `seconds`, and longer each time it does so in a row."""
        if now < self.busy_until:
            return  # one of the sends that were under way when it said so first
        pause = min(seconds * 2.0**self.busy_in_a_row, _LONGEST_BUSY_SECONDS)
        self.busy_in_a_row = min(self.busy_in_a_row + 1, 16)
        self.busy_until = now + pause

    def turn(self, now: float, connections: int) -> float:
        """Seconds after which a delivery that is put off may come again: one after the other at the pace of sends."""
        earliest = max(now + _SHORTEST_PUT_OFF_SECONDS, self.busy_until)
        start = min(max(earliest, self.next_turn), now + _LONGEST_PUT_OFF_SECONDS)
        self.next_turn = start + self.send_seconds / connections
        return start - now


@dataclass(frozen=True, slots=True)
class Load:
    """How much is under way: waiting for and running at one destination, and held by the sink in all.

    `oldest_seconds` is how long the longest of the running sends has been under way.
    """

    waiting: int
    running: int
    held: int
    oldest_seconds: float = field(default=0.0)


def admits(load: Load, speed: Speed, limits: Limits, now: float) -> bool:
    """Whether one more delivery may wait for this destination, rather than be put off."""
    if now < speed.busy_until:
        return False
    expected = max(speed.send_seconds, load.oldest_seconds)
    if expected > _SLOW_SECONDS and load.waiting + load.running > limits.in_flight - load.held:
        return False
    return load.waiting * expected <= limits.wait_seconds * limits.connections


def crowded(load: Load, speed: Speed, limits: Limits, more: int, now: float) -> bool:
    """Whether the only destination should be left to catch up before `more` deliveries are read for it.

    An empty queue takes any number: what turns out to wait too long is put off then.
    """
    if now < speed.busy_until:
        return True
    expected = max(speed.send_seconds, load.oldest_seconds)
    return load.waiting > 0 and (load.waiting + more) * expected > limits.wait_seconds * limits.connections
