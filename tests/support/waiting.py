"""Waiting for a condition instead of for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.05


async def until(condition: Callable[[], Awaitable[T | None]], within_seconds: float, what: str) -> T:
    """The first truthy value of `condition`.

    Raises:
        AssertionError: there was none within `within_seconds`; names `what` was waited for and the last value.
    """
    end = time.monotonic() + within_seconds
    while True:
        value = await condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_seconds} s: {what}; last seen {value!r}")
        await asyncio.sleep(_POLL_SECONDS)
