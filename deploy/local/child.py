"""One child process: started tied to us, watched by its pid, stopped with a grace."""

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from deploy.local import errors

TETHER = pathlib.Path(__file__).with_name("tether.py")
POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run and as what.

    `death_signal` is what the child gets when its starter dies (Linux only). `user` switches to that account, for
    root only. `pass_fds` stay open in the child.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: pathlib.Path | None = None
    death_signal: signal.Signals = signal.SIGKILL
    user: str = "-"
    pass_fds: Sequence[int] = ()


class Child:
    """A running child process, in a session of its own so that a terminal's Ctrl-C reaches only the starter."""

    def __init__(self, command: Command, output: int | IO[bytes]) -> None:
        tie = [str(os.getpid()), str(int(command.death_signal)), command.user]
        program = shutil.which(command.argv[0], path=command.environment.get("PATH"))
        if program is None:
            raise errors.LocalStackError(f"{command.argv[0]} is not installed or not on PATH")
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(TETHER), *tie, program, *command.argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(command.environment),
            cwd=command.folder,
            pass_fds=command.pass_fds,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id; also its process group."""
        return self._popen.pid

    @property
    def output(self) -> IO[bytes] | None:
        """The reading end when it was started with a pipe."""
        return self._popen.stdout

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: the signal), or None while it runs."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a child that has ended is no error."""
        self._popen.send_signal(number)

    async def ended_within(self, seconds: float) -> bool:
        """Wait for the end, at most so long; whether it has ended."""
        deadline = time.monotonic() + seconds
        while self.returncode is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def stop(self, number: signal.Signals, grace_seconds: float) -> int:
        """Ask to end, wait, then kill it and its group; the exit code."""
        self.send(number)
        if not await self.ended_within(grace_seconds):
            await self.kill()
        return self._popen.wait()

    async def kill(self) -> None:
        """SIGKILL to the whole process group, and reap it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await asyncio.to_thread(self._popen.wait)
