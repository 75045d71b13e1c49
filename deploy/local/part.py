"""The parts the supervisor watches, all with the same few verbs."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from deploy.local import child, kafka, postgres, state

PROBE_SECONDS = 3.0
LINE_BYTES = 1 << 20
Sayer = Callable[[str, str], None]
"""Takes a part's name and a line of its output."""


class Part(Protocol):
    """A process that can be started again and again."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def address(self) -> str:
        """Where it is reached, for people."""

    @property
    def pid(self) -> int | None:
        """Its process while it has one."""

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""

    async def launch(self) -> None:
        """Start its process."""

    async def alive(self) -> bool:
        """Whether it turns; False is a reason to restart it when it stays so."""

    async def ready(self) -> bool:
        """Whether it can do its job now."""

    async def stop(self, grace_seconds: float) -> None:
        """End it cleanly, or kill it when the grace has passed."""


class Server:
    """Kafka or PostgreSQL: launched when it serves, and alive while its process is."""

    def __init__(self, name: str, server: kafka.Kafka | postgres.Postgres) -> None:
        self.name = name
        self._server = server

    @property
    def address(self) -> str:
        """Kafka's bootstrap address, or the owner's DSN."""
        return self._server.bootstrap if isinstance(self._server, kafka.Kafka) else self._server.dsn()

    @property
    def pid(self) -> int | None:
        """The server's process."""
        return self._server.pid

    @property
    def returncode(self) -> int | None:
        """How it ended."""
        return self._server.returncode

    async def launch(self) -> None:
        """Start it and wait until it serves."""
        await self._server.start()

    async def alive(self) -> bool:
        """Its process runs."""
        return self._server.returncode is None

    async def ready(self) -> bool:
        """It served when launched."""
        return self._server.pid is not None and self._server.returncode is None

    async def stop(self, grace_seconds: float) -> None:
        """End it cleanly."""
        await self._server.stop(grace_seconds)


@dataclass(frozen=True, kw_only=True)
class Program:
    """How a program of ours is run: arguments of Python, environment, and where its pages are."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    address: str
    probes: str
    """Base address of /livez and /readyz."""


class Running:
    """A program of ours: its output goes to `say`, its health is asked over HTTP."""

    def __init__(self, program: Program, session: aiohttp.ClientSession, say: Sayer) -> None:
        self.name = program.name
        self.address = program.address
        self._program = program
        self._session = session
        self._say = say
        self._child: child.Child | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The program's process."""
        return self._child.pid if self._child else None

    @property
    def returncode(self) -> int | None:
        """How it ended."""
        return self._child.returncode if self._child else None

    async def launch(self) -> None:
        """Start it; whether it is ready is another question."""
        argv = [sys.executable, *self._program.arguments]
        command = child.Command(argv=argv, environment=self._program.environment, folder=state.CHECKOUT)
        self._child = child.Child(command, subprocess.PIPE)
        self._reading = asyncio.create_task(self._read(self._child), name=f"output of {self.name}")

    async def alive(self) -> bool:
        """`/livez` answers 200."""
        return await self._says("/livez")

    async def ready(self) -> bool:
        """`/readyz` answers 200."""
        return await self._says("/readyz")

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL when the grace has passed; its last words are read first."""
        if self._child is not None:
            await self._child.stop(signal.SIGTERM, grace_seconds)
        if self._reading is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reading, PROBE_SECONDS)

    async def _says(self, page: str) -> bool:
        try:
            async with self._session.get(self._program.probes + page) as response:
                return response.ok
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _read(self, running: child.Child) -> None:
        reader = asyncio.StreamReader(limit=LINE_BYTES)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), running.output)
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # longer than the limit; the reader has dropped it
                line = b"(a line of more than a megabyte)\n"
            if not line:
                return
            self._say(self.name, line.decode(errors="replace").rstrip("\n"))
