"""The time of this machine, as a port: deciding code takes `now` by value, loops take a Clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The wall-clock time, aware, UTC. Never used for what PostgreSQL's clock decides."""

    def monotonic(self) -> float:
        """Seconds that only grow, for durations."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall-clock time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()
