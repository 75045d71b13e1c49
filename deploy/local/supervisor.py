"""Starts the embedded stack and the services in order, keeps them running, and ends them in reverse order."""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from deploy.local import assembly, endpoints, errors, ledger, screen, state, together, watch, wiring
from deploy.local import options as up_options
from deploy.local.options import UpOptions
from deploy.local.part import Part
from deploy.local.screen import Condition
from shared.errors import TransientError
from shared.runtime import lifecycle

__all__ = ["System", "UpOptions", "run", "up"]

READY_SECONDS = 90.0
LOOK_SECONDS = 0.05
LAST_LINES = 15


@dataclass(frozen=True)
class System:
    """A running stack: its document (`endpoints.json`), the event that asks it to end, and its screen."""

    document: dict[str, Any]
    stop: asyncio.Event
    screen: screen.Screen


async def run(options: UpOptions) -> None:
    """Run until Ctrl-C or SIGTERM; asked a second time, end without grace.

    Raises:
        LocalStackError: something cannot start; the message says what to do.
    """
    try:
        async with up(options) as system:
            system.screen.tell(f"everything is ready, mail at {system.document['mailbox']}; Ctrl-C stops it all")
            await system.stop.wait()
    except lifecycle.StopAskedError:
        return


@contextlib.asynccontextmanager
async def up(options: UpOptions) -> AsyncIterator[System]:
    """The whole stack, ready; everything ends with the context.

    Raises:
        LocalStackError: something cannot start; the message says what to do.
        StopAskedError: Ctrl-C or SIGTERM came before everything was ready.
    """
    held = state.State(state.locate(options.state))
    with held.held(), contextlib.closing(screen.for_this_output()) as shown, lifecycle.stop_on_signals() as stop:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stop.set)  # the terminal was closed
        supervisor = Supervisor(options, held, shown, stop)
        supervisor.clean_up()
        try:
            document = await supervisor.start()
            async with supervisor.watching():
                yield System(document, stop, shown)
        finally:
            await supervisor.end()


class Supervisor:
    """The parts of one stack, and their lives from start to end."""

    def __init__(self, options: UpOptions, held: state.State, shown: screen.Screen, stop: asyncio.Event) -> None:
        self._options = options
        self._state = held
        self._screen = shown
        self._stop = stop
        self._ledger = ledger.Ledger(held.ledger)
        self._stages: list[list[Part]] = []
        self._last_lines: dict[str, list[str]] = {}
        self._resources = contextlib.AsyncExitStack()
        self._document: dict[str, Any] = {}

    def clean_up(self) -> None:
        """End what a supervisor that was killed left behind in this folder."""
        left = ledger.leftovers(self._ledger.read(), ledger.started_at)
        if left:
            names = ", ".join(f"{entry.name} ({entry.pid})" for entry in left)
            self._screen.tell(f"ending what an earlier run left behind: {names}")
            ledger.end(left)
        self._ledger.clear()
        self._state.endpoints.unlink(missing_ok=True)

    async def start(self) -> dict[str, Any]:
        """Start all in order, wait until all are ready, and publish where they are; returns that document."""
        plan = assembly.Assembly(self._options, self._state)
        session = await self._resources.enter_async_context(assembly.session())
        foundation = plan.foundation()
        self._stages.append(list(foundation))
        await together.unless_stopped(self._stop, *(self._launch(part) for part in foundation))
        [(wired, demo)] = await together.unless_stopped(self._stop, self._prepared(plan))
        programs = plan.programs(wired, session, self._output)
        self._stages.append(list(programs))
        for part in programs:
            await self._launch(part)
        await together.unless_stopped(self._stop, *(self._becomes_ready(part) for part in programs))
        self._document = endpoints.document(wired, self._pids(), demo)
        self._publish()
        return self._document

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Restart what dies or no longer turns while the context is open."""
        async with asyncio.TaskGroup() as group:
            watches = [
                group.create_task(watch.Watch(part, self._screen, self._launched).run(), name=f"watch {part.name}")
                for part in self._parts()
            ]
            try:
                yield
            finally:
                for task in watches:
                    task.cancel()

    async def end(self) -> None:
        """End everything in reverse order: first what has doors and does work, then what it stands on."""
        self._state.endpoints.unlink(missing_ok=True)
        self._stop.clear()  # set again, it means: at once
        for stage in reversed(self._stages):
            await asyncio.gather(*(self._end(part) for part in reversed(stage)))
        await self._resources.aclose()
        self._ledger.clear()
        self._screen.tell("everything has ended")

    async def _prepared(self, plan: assembly.Assembly) -> tuple[wiring.Wiring, dict[str, Any]]:
        self._screen.tell("bringing the schema and the topics up to date")
        try:
            wired = await plan.prepared()
            return wired, await plan.demo(wired)
        except (TransientError, OSError, asyncpg.PostgresError) as error:
            raise errors.LocalStackError(f"Kafka or PostgreSQL refuses: {error}") from error

    async def _launch(self, part: Part) -> None:
        self._screen.show(part.name, Condition.STARTING)
        await part.launch()
        self._launched(part)
        if await part.ready():
            self._screen.show(part.name, Condition.READY, part.address)

    async def _becomes_ready(self, part: Part) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not await part.ready():
            if part.returncode is not None:
                raise errors.LocalStackError(f"{part.name} ended with {part.returncode}:{self._words(part)}")
            if time.monotonic() > deadline:
                raise errors.LocalStackError(f"{part.name} is not ready after {READY_SECONDS:g} s:{self._words(part)}")
            await asyncio.sleep(LOOK_SECONDS)
        self._screen.show(part.name, Condition.READY, part.address)

    async def _end(self, part: Part) -> None:
        self._screen.show(part.name, Condition.STOPPING)
        ending = asyncio.create_task(part.stop(up_options.grace_seconds(self._options)))
        impatience = asyncio.create_task(self._stop.wait())
        await asyncio.wait([ending, impatience], return_when=asyncio.FIRST_COMPLETED)
        impatience.cancel()
        if not ending.done():
            ending.cancel()
            await part.stop(0.0)
        self._screen.show(part.name, Condition.STOPPED, f"exit code {part.returncode}")

    def _launched(self, part: Part) -> None:
        """A part has a new process: written down, and published once everything is."""
        if part.pid is not None:
            self._ledger.note(part.name, part.pid)
        if self._document:
            self._document["pids"] = self._pids()
            self._publish()

    def _output(self, name: str, line: str) -> None:
        kept = self._last_lines.setdefault(name, [])
        kept.append(line)
        del kept[:-LAST_LINES]
        if self._options.logs:
            self._screen.output(name, line)

    def _words(self, part: Part) -> str:
        return "".join(f"\n  {line}" for line in self._last_lines.get(part.name, ["(it wrote nothing)"]))

    def _parts(self) -> list[Part]:
        return [part for stage in self._stages for part in stage]

    def _pids(self) -> dict[str, int]:
        return {part.name: part.pid for part in self._parts() if part.pid is not None}

    def _publish(self) -> None:
        state.write_private(self._state.endpoints, json.dumps(self._document, indent=2) + "\n")
