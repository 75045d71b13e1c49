"""Keeping one part running: started again when it died or no longer turns, with a growing wait in between."""

import asyncio
import time
from collections.abc import Callable

from deploy.local import errors
from deploy.local.part import Part
from deploy.local.screen import Condition, Screen

LOOK_SECONDS = 0.2
PROBE_EVERY_SECONDS = 2.0
MISSES = 4
STARTING_SECONDS = 60.0  # on a loaded machine a process takes long to answer at all
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0
SETTLED_SECONDS = 15.0  # a part that lived so long has started well
KILL_GRACE_SECONDS = 2.0


def wait_seconds(deaths: int) -> float:
    """How long to wait before the start after this many deaths in a row: 0.5 s, doubled each time, at most 15 s."""
    return min(FIRST_WAIT_SECONDS * 2.0 ** (deaths - 1), LONGEST_WAIT_SECONDS)


def has_stopped_turning(misses: int, *, answered: bool, seconds: float) -> bool:
    """Whether to start a part again that missed so many probes in a row, `seconds` after its start.

    One that has not answered since is still starting: killed then, it would never come to an answer where starting
    takes longer than the probes.
    """
    return misses >= MISSES and (answered or seconds >= STARTING_SECONDS)


class Watch:
    """Watches one part, which has answered once, until cancelled. `launched` is told of every new process."""

    def __init__(self, part: Part, screen: Screen, launched: Callable[[Part], None]) -> None:
        self._part = part
        self._screen = screen
        self._launched = launched
        self._deaths = 0
        self._answered = True
        self._since = time.monotonic()

    async def run(self) -> None:
        """For ever: find out what is wrong, say so, mend it."""
        while True:
            reason = await self._trouble()
            if time.monotonic() - self._since > SETTLED_SECONDS:
                self._deaths = 0
            self._deaths += 1
            await self._start_again(reason)

    async def _trouble(self) -> str:
        """Return when the part died or has not answered several times in a row, and say which."""
        misses, probed_at = 0, time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._part.returncode is not None:
                return f"ended with {self._part.returncode}"
            if time.monotonic() - probed_at < PROBE_EVERY_SECONDS:
                continue
            misses = await self._probe(misses)
            self._answered = self._answered or misses == 0
            probed_at = time.monotonic()
            if has_stopped_turning(misses, answered=self._answered, seconds=probed_at - self._since):
                return f"did not answer /livez {misses} times in a row"

    async def _probe(self, misses: int) -> int:
        """Ask how it is; the number of times in a row it was not alive."""
        if not await self._part.alive():
            return misses + 1
        ready = await self._part.ready()
        self._screen.show(self._part.name, Condition.READY if ready else Condition.NOT_READY)
        return 0

    async def _start_again(self, reason: str) -> None:
        wait = wait_seconds(self._deaths)
        self._screen.show(self._part.name, Condition.RESTARTING)
        self._screen.tell(f"{self._part.name} {reason}; starting it again in {wait:g} s")
        await self._part.stop(KILL_GRACE_SECONDS)
        await asyncio.sleep(wait)
        try:
            await self._part.launch()
        except errors.LocalStackError as error:
            self._screen.tell(f"{self._part.name}: {error}")
            return  # it has no process: the next look finds it dead, and waits longer
        self._since, self._answered = time.monotonic(), False
        self._launched(self._part)
        self._screen.tell(f"{self._part.name} started again as process {self._part.pid}")
