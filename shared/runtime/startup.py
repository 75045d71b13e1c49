"""Starting while Kafka or PostgreSQL does not answer yet: wait for it, say so once per change, never crash."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from shared.errors import TransientError
from shared.retry import Backoff
from shared.runtime import lifecycle

_log = structlog.get_logger()

_BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0)

T = TypeVar("T")


async def still_starting() -> str | None:
    """A readiness check for the time before everything answered; removed by then."""
    return "still starting"


async def until_it_answers(opening: Callable[[], Awaitable[T]], stop: asyncio.Event, what: str) -> T:
    """What `opening` returns, tried again with a backoff while it raises TransientError.

    Raises:
        lifecycle.StopAskedError: `stop` was set while waiting.
    """
    said = ""
    attempt = 0
    while not stop.is_set():
        try:
            return await opening()
        except TransientError as error:
            attempt += 1
            if str(error) != said:
                said = str(error)
                _log.warning("waiting_to_start", waiting_for=what, reason=error.reason, error=said)
        delay = _BACKOFF.delay_seconds(attempt, random.random())  # noqa: S311 - jitter is no secret
        await lifecycle.pause(stop, delay)
    raise lifecycle.StopAskedError(what)
