"""Putting a service together: each part is waited for, closed in reverse, and only then is the service ready.

While Kafka or PostgreSQL does not answer yet, a service waits for it and says so once per change; it never crashes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from shared.errors import TransientError
from shared.retry import Backoff
from shared.runtime import health, lifecycle
from shared.runtime.setbacks import Setbacks
from shared.runtime.settings import BaseServiceSettings

_log = structlog.get_logger()

_STARTING = "start"
_BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0)

T = TypeVar("T")


async def until_it_answers(opening: Callable[[], Awaitable[T]], stop: asyncio.Event, what: str) -> T:
    """What `opening` returns, tried again with a backoff while it raises TransientError.

    Raises:
        lifecycle.StopAskedError: `stop` was set while waiting.
    """
    setbacks = Setbacks(_BACKOFF, "waiting_to_start", waiting_for=what)
    while not stop.is_set():
        try:
            return await opening()
        except TransientError as error:
            await lifecycle.pause(stop, setbacks.wait_seconds(error))
    raise lifecycle.StopAskedError(what)


@dataclass(frozen=True, slots=True)
class Start:
    """A service while it is put together: what is entered through it is left with the service, in reverse order."""

    settings: BaseServiceSettings
    stop: asyncio.Event
    stack: AsyncExitStack
    health: health.Health
    registry: CollectorRegistry
    clients: lifecycle.Together = field(default_factory=lifecycle.Together)

    async def entered(self, opening: Callable[[], AbstractAsyncContextManager[T]], what: str) -> T:
        """What `opening` gives, entered once it answers.

        Raises:
            lifecycle.StopAskedError: told to stop while waiting.
        """
        return await until_it_answers(lambda: self.stack.enter_async_context(opening()), self.stop, what)

    async def client(self, opening: Callable[[], AbstractAsyncContextManager[T]], what: str) -> T:
        """A client of Kafka: as `entered`, but left side by side with the others, where the first one was entered.

        While the brokers are gone each takes all the time it has for closing; one after the other outlasts a drain.
        """
        if not len(self.clients):
            self.stack.push_async_callback(self.clients.leave)
        return await until_it_answers(lambda: self.clients.enter(opening()), self.stop, what)

    async def run(self, loops: Mapping[str, lifecycle.Loop], /, **started: Any) -> None:
        """Be ready and run the loops until told to stop; `started` are fields of the log line that says so.

        Raises:
            ExceptionGroup: a loop crashed.
            TimeoutError: the loops did not end within `drain_seconds`.
        """
        del self.health.ready[_STARTING]
        _log.info("started", **started)
        await lifecycle.run_until_stopped(loops, self.stop, self.settings.drain_seconds)


@asynccontextmanager
async def starting(settings: BaseServiceSettings) -> AsyncIterator[Start]:
    """A service that obeys signals and serves its health pages, on which it is not ready until it runs."""
    checks, registry = health.Health(ready={_STARTING: _still_starting}), CollectorRegistry()
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(lifecycle.stop_on_signals())
        await stack.enter_async_context(health.serve(checks, registry, settings.ops_host, settings.ops_port))
        yield Start(settings, stop, stack, checks, registry)


async def _still_starting() -> str | None:
    return "still starting"
