"""A service as its own process, started the way a supervisor starts it."""

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import aiohttp

from tests.support import warm

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05

ROOT = pathlib.Path(__file__).parents[2]


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """A running service: its process, and where its pages are."""

    process: "warm.Process | subprocess.Popen[bytes]"
    ops: str
    http: str

    async def status(self, page: str) -> int:
        """The HTTP status of `/livez`, `/readyz` or `/metrics`; 0 while nobody answers."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self.ops + page) as response:
                return response.status
        except aiohttp.ClientConnectionError:
            return 0

    async def text(self, page: str) -> str:
        """The text of a page."""
        async with aiohttp.ClientSession() as session, session.get(self.ops + page) as response:
            return await response.text()

    async def until(self, page: str, status: int) -> None:
        """Wait until a page answers with a status."""
        async with asyncio.timeout(READY_SECONDS):
            while await self.status(page) != status:
                assert self.process.poll() is None, f"the service ended with {self.process.poll()}"
                await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> int:
        """Send SIGTERM and wait for the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, STOP_SECONDS)


@contextlib.asynccontextmanager
async def running(
    name: str,
    settings: Mapping[str, str],
    output: IO[bytes] | None = None,
    folder: pathlib.Path = ROOT,
    arguments: Sequence[str] = (),
    path: Sequence[str] = (),
    *,
    is_cold: bool = False,
) -> AsyncIterator[Service]:
    """`python -m services.<name>` with `TOCSIN_<SETTING>`s, writing to `output`; killed at the end if still there.

    `folder` is where it works and keeps temporary files, if it has any; `path` are folders of packages that are
    installed beside the project's own. One that is not forked from a warm process `is_cold`.
    """
    ops, http = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), *path]),
        **({} if folder is ROOT else {"TMPDIR": str(folder)}),
        "TOCSIN_OPS_PORT": str(ops),
        "TOCSIN_HTTP_PORT": str(http),
        **{f"TOCSIN_{setting.upper()}": value for setting, value in settings.items()},
    }
    process: warm.Process | subprocess.Popen[bytes]
    if is_cold:
        command = [sys.executable, "-m", f"services.{name}", *arguments]
        process = await asyncio.to_thread(subprocess.Popen, command, env=environment, cwd=folder, stdout=output)
    else:
        written = output.name if output else None
        process = await asyncio.to_thread(warm.started, warm.Command(name, arguments, environment, folder, written))
    try:
        yield Service(process, f"http://127.0.0.1:{ops}", f"http://127.0.0.1:{http}")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
