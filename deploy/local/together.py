"""Doing things side by side until one fails or somebody asks to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from shared.runtime import lifecycle

T = TypeVar("T")


async def unless_stopped(stop: asyncio.Event, *works: Coroutine[Any, Any, T]) -> list[T]:
    """What the works return, in their order; the first failure, and `stop`, cancel what is under way.

    Raises:
        StopAskedError: `stop` was set first.
        Exception: as the first work that failed.
    """
    working = [asyncio.create_task(work) for work in works]
    stopped: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    try:
        while unfinished := [work for work in working if not work.done()]:
            await asyncio.wait([*unfinished, stopped], return_when=asyncio.FIRST_COMPLETED)
            for work in working:
                if work.done():
                    work.result()
            if stopped.done() and not all(work.done() for work in working):
                raise lifecycle.StopAskedError("starting")
        return [work.result() for work in working]
    finally:
        for task in (stopped, *working):
            task.cancel()
        await asyncio.gather(stopped, *working, return_exceptions=True)
