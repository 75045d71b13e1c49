"""Lives begin and end in one place: signals set `stop`, loops end by themselves, a deadline bounds the drain."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import structlog
import uvloop

_log = structlog.get_logger()

T = TypeVar("T")

Loop = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""A loop of a service: runs until the event is set, then finishes what is in flight and returns."""


_ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000
"""Batches of thousands of short-lived objects, without cycles, made the default of 700 look through them for nothing:
a twentieth of the dispatcher's time."""


class StopAskedError(Exception):
    """The service was told to stop before it had started; nothing was in flight."""


def main(service: Coroutine[Any, Any, None]) -> None:
    """Run a service to its end: exit code 0 after a clean stop, 1 when a loop crashed or the drain ran out of time."""
    gc.freeze()  # what the imports made stays
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS, 20, 100)
    try:
        uvloop.run(service)
    except StopAskedError:
        _log.info("stopped_before_start")
    except BaseExceptionGroup as crashed:
        _log.critical("service_crashed", exc_info=crashed)
        sys.exit(1)
    except TimeoutError:
        _log.critical("drain_deadline_passed")
        sys.exit(1)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set; they do nothing else."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def run_until_stopped(loops: Mapping[str, Loop], stop: asyncio.Event, drain_seconds: float) -> None:
    """Run named loops side by side until `stop`, then give them `drain_seconds` to return.

    Raises:
        ExceptionGroup: a loop crashed; the others were cancelled.
        TimeoutError: the loops did not return within the drain.
    """
    async with asyncio.timeout(None) as deadline, asyncio.TaskGroup() as group:
        running = [group.create_task(loop(stop), name=name) for name, loop in loops.items()]
        arming = group.create_task(_arm(deadline, stop, drain_seconds), name="deadline")
        await asyncio.wait(running)
        arming.cancel()


async def _arm(deadline: asyncio.Timeout, stop: asyncio.Event, drain_seconds: float) -> None:
    """Arm the deadline at the moment stop is set, not before."""
    await stop.wait()
    _log.info("draining", drain_seconds=drain_seconds)
    deadline.reschedule(asyncio.get_running_loop().time() + drain_seconds)


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Wait for `seconds`, or less when `stop` is set; True when it was."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


@contextlib.asynccontextmanager
async def bounded(closing: Callable[[], Coroutine[Any, Any, None]], seconds: float, what: str) -> AsyncIterator[None]:
    """Call `closing` at the end, but wait no longer than `seconds`: a broker that is gone must not hold the exit."""
    try:
        yield
    finally:
        try:
            await asyncio.wait_for(closing(), seconds)
        except TimeoutError:
            _log.warning("close_timed_out", what=what, seconds=seconds)


class Together:
    """Context managers that are left side by side: each may take its whole bound, all of them no longer than one."""

    def __init__(self) -> None:
        self._entered: list[contextlib.AsyncExitStack] = []

    def __len__(self) -> int:
        return len(self._entered)

    async def enter(self, manager: contextlib.AbstractAsyncContextManager[T]) -> T:
        """Enter a context manager; left by `leave`."""
        stack = contextlib.AsyncExitStack()
        value = await stack.enter_async_context(manager)
        self._entered.append(stack)
        return value

    async def leave(self) -> None:
        """Leave all of them.

        Raises:
            ExceptionGroup: some could not be left; the others were all the same.
        """
        ended = await asyncio.gather(*(stack.aclose() for stack in self._entered), return_exceptions=True)
        failures = [each for each in ended if isinstance(each, Exception)]
        if failures:
            raise ExceptionGroup("parts that could not be closed", failures)


def instance_name(configured: str) -> str:
    """This process among its replicas: as configured, or host and pid."""
    return configured or f"{socket.gethostname()}-{os.getpid()}"
