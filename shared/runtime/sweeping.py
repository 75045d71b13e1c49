"""The loop of everything that looks for due rows: a full batch goes on at once, a short one waits."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.errors import TransientError
from shared.retry import Backoff
from shared.runtime import lifecycle
from shared.runtime.setbacks import Setbacks

_BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0)

Step = Callable[[], Awaitable[bool | None]]
"""One batch of work; True when more of it is due at once."""


def sweeping(name: str, step: Step, wait_seconds: float) -> lifecycle.Loop:
    """A loop that repeats `step` until stopped; while it raises TransientError it backs off, logging each change."""

    async def loop(stop: asyncio.Event) -> None:
        setbacks = Setbacks(_BACKOFF, "sweep_will_be_repeated", sweep=name)
        while not stop.is_set():
            try:
                more = await step()
            except TransientError as error:
                await lifecycle.pause(stop, setbacks.wait_seconds(error))
                continue
            setbacks.over()
            if not more:
                await lifecycle.pause(stop, wait_seconds)

    return loop
