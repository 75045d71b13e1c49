"""The loop of everything that looks for due rows: a full batch goes on at once, a short one waits."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from shared.errors import TransientError
from shared.retry import Backoff
from shared.runtime import lifecycle

_log = structlog.get_logger()

_BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0)

Step = Callable[[], Awaitable[bool]]
"""One batch of work; True when more of it is due at once."""


def sweeping(name: str, step: Step, wait_seconds: float) -> lifecycle.Loop:
    """A loop that repeats `step` until stopped; while it raises TransientError it backs off, logging each change."""

    async def loop(stop: asyncio.Event) -> None:
        said, failures = "", 0
        while not stop.is_set():
            try:
                more = await step()
            except TransientError as error:
                failures += 1
                if str(error) != said:
                    said = str(error)
                    _log.warning("sweep_will_be_repeated", sweep=name, reason=error.reason, error=said)
                delay = _BACKOFF.delay_seconds(failures, random.random())  # noqa: S311 - jitter is no secret
                await lifecycle.pause(stop, delay)
                continue
            said, failures = "", 0
            if not more:
                await lifecycle.pause(stop, wait_seconds)

    return loop
