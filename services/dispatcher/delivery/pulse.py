"""A sign of life of a lane's loop: it beats whenever it goes round, also while it waits for another system."""

import asyncio

_STUCK_SECONDS = 60.0
"""Longer than anything the loop waits for without looking up: statements, commits and sends have shorter bounds."""


class Pulse:
    """Beaten by the parts of one loop, felt by its process's liveness."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._beaten_at: float | None = None

    def beat(self) -> None:
        """The loop goes round."""
        self._beaten_at = asyncio.get_running_loop().time()

    async def missing(self) -> str | None:
        """A sentence when the loop has begun and not gone round for too long, else None."""
        if self._beaten_at is None:
            return None
        still = asyncio.get_running_loop().time() - self._beaten_at
        return f"{self._role} has not gone round for {still:.0f} s" if still > _STUCK_SECONDS else None
