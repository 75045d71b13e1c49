"""Which processes are ours, written down so that the next start can end what a killed supervisor left behind.

A pid alone proves nothing, the kernel gives it out again; a pid with its process's start time does.
"""

import contextlib
import json
import os
import pathlib
import platform
import signal
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import psutil

from deploy.local import state

GRACE_SECONDS = 10.0
POSTGRES = "postgres"


@dataclass(frozen=True)
class Entry:
    """One process: its part's name, its pid, and when it started (`started_at`)."""

    name: str
    pid: int
    started: str


def started_at(pid: int) -> str | None:
    """What tells this process from any other that ever had its pid; None when it is gone."""
    try:
        if platform.system() == "Linux":  # ticks since boot: unlike the wall clock's, they never shift
            boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return f"{boot}:{fields[19]}"
        return f"{psutil.Process(pid).create_time():.2f}"
    except (OSError, psutil.Error):
        return None


def leftovers(entries: Iterable[Entry], started: Callable[[int], str | None]) -> list[Entry]:
    """Those entries whose process still runs and is the one that was written down."""
    return [entry for entry in entries if started(entry.pid) == entry.started]


class Ledger:
    """The file of entries; every change is written at once."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}

    def note(self, name: str, pid: int) -> None:
        """A part runs as this process now."""
        started = started_at(pid)
        if started is not None:
            self._entries[name] = Entry(name, pid, started)
            self._write()

    def clear(self) -> None:
        """Everything has ended."""
        self._entries.clear()
        self._path.unlink(missing_ok=True)

    def read(self) -> list[Entry]:
        """What an earlier supervisor wrote; a file cut short counts as empty."""
        try:
            return [Entry(**entry) for entry in json.loads(self._path.read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def _write(self) -> None:
        state.write_private(self._path, json.dumps([asdict(entry) for entry in self._entries.values()]))


def end(entries: Iterable[Entry]) -> None:
    """End processes that nobody watches any more. All of them bear a kill; PostgreSQL is asked first.

    PostgreSQL would otherwise leave a System V segment, and its children, behind for a moment.
    """
    asked = []
    for entry in entries:
        number = signal.SIGINT if entry.name == POSTGRES else signal.SIGKILL
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            asked.append(psutil.Process(entry.pid))
            os.killpg(entry.pid, number)
    _gone, stubborn = psutil.wait_procs(asked, timeout=GRACE_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=GRACE_SECONDS)
