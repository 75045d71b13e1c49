"""Services as processes forked from one that has imported them all: an import takes a second, and tests start hundreds.

For the rest they are what `python -m services.<name>` starts: a process with an environment of its own, which can be
signalled and killed.
"""

import importlib
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for

from shared import failpoint

SERVICES = ("ingest", "dispatcher", "scheduler", "digest", "retention", "inbox", "console")

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([f"services.{name}.__main__" for name in SERVICES])
_ASKING = threading.Lock()
"""An exit code can be read once, and a start looks at all the others."""


@dataclass(frozen=True)
class Command:
    """What to run: `python -m services.<service> <arguments>` in a folder; `output` is a file it writes to."""

    service: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: pathlib.Path
    output: str | None = None


@dataclass
class Process:
    """A running service, with the verbs of `subprocess.Popen`."""

    _forked: multiprocessing.process.BaseProcess

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._forked.pid is not None
        return self._forked.pid

    def poll(self) -> int | None:
        """How it ended (negative: the signal), None while it runs."""
        with _ASKING:
            return self._forked.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended; blocks. Raises subprocess.TimeoutExpired."""
        wait_for([self._forked.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self._forked.name, timeout or 0.0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def started(command: Command) -> Process:
    """Start a service."""
    forked = _FORKING.Process(target=_become, args=(command,), name=f"services.{command.service}", daemon=True)
    with _ASKING:
        forked.start()
    return Process(forked)


def _become(command: Command) -> None:
    os.environ.clear()
    os.environ.update(command.environment)
    os.chdir(command.folder)
    if command.output is not None:
        os.dup2(os.open(command.output, os.O_WRONLY | os.O_APPEND), sys.stdout.fileno())
    sys.argv = [f"services.{command.service}", *command.arguments]
    sys.path[:0] = command.environment["PYTHONPATH"].split(os.pathsep)
    importlib.reload(failpoint)  # it looks at the environment once
    importlib.import_module(f"services.{command.service}.__main__").main()
