"""A script in a thread of its own, with an end to the patience with it: a script must not hold up the service."""

import asyncio
import contextlib
import inspect
import threading
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from shared.plugins import Function
from shared.scripts import Call, NotAllowedError

_LONGEST_TRACEBACK = 4_000


@dataclass(frozen=True, slots=True)
class Raised:
    """What a script raised, as Python shows it; `is_final` when trying again cannot help."""

    traceback: str
    is_final: bool


class TimeUp:
    """The script did not return in time; its thread goes on until it does, and is heard no more."""


class Stopped:
    """The service stops: the script is left alone and will be called again."""


Ending = Raised | TimeUp | Stopped | None
"""None: it returned."""


class Callers:
    """Calls functions, and knows of those that did not return in time."""

    def __init__(self) -> None:
        self._overdue: set[threading.Thread] = set()

    def overdue(self) -> int:
        """How many threads are still held by functions whose time is up; Python cannot end them."""
        self._overdue = {thread for thread in self._overdue if thread.is_alive()}
        return len(self._overdue)

    async def call(self, load: Callable[[], Function], call: Call, seconds: float, stop: asyncio.Event) -> Ending:
        """Load a function, call it and wait for it, for `seconds` or until `stop`; its import is foreign code too."""
        loop = asyncio.get_running_loop()
        returned: asyncio.Future[Raised | None] = loop.create_future()

        def work() -> None:
            ending = _called(load, call)
            with contextlib.suppress(RuntimeError):  # it returned after the service has ended: nobody is left to tell
                loop.call_soon_threadsafe(_set, returned, ending)

        # A daemon: a script that never returns must not keep the process from ending.
        thread = threading.Thread(target=work, name=f"script {call.name}", daemon=True)
        thread.start()
        stopping = asyncio.ensure_future(stop.wait())
        try:
            waited: set[asyncio.Future[Any]] = {returned, stopping}
            await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if returned.done():
            return returned.result()
        call.closed = True
        self._overdue.add(thread)
        return Stopped() if stop.is_set() else TimeUp()


def _called(load: Callable[[], Function], call: Call) -> Raised | None:
    try:
        found = load()(call)
        if inspect.isawaitable(found):
            asyncio.run(_awaited(cast("Awaitable[object]", found)))
    except NotAllowedError as error:
        return _raised(error, is_final=True)
    except BaseException as error:  # noqa: BLE001 - SystemExit too must end this run and nothing else
        return _raised(error, is_final=False)
    return None


async def _awaited(found: Awaitable[object]) -> None:
    await found


def _set(future: "asyncio.Future[Raised | None]", ending: Raised | None) -> None:
    if not future.done():
        future.set_result(ending)


def _raised(error: BaseException, *, is_final: bool) -> Raised:
    text = "".join(traceback.format_exception(error))
    return Raised(text[-_LONGEST_TRACEBACK:], is_final)
