"""What people see while the stack runs: one live table on a terminal, plain lines elsewhere."""

import sys
import time
from enum import StrEnum
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text


class Condition(StrEnum):
    """How a part is."""

    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


COLOURS = {
    Condition.READY: "green",
    Condition.NOT_READY: "yellow",
    Condition.RESTARTING: "red",
    Condition.STOPPED: "dim",
}


class Screen(Protocol):
    """Where the supervisor tells what happens."""

    def tell(self, message: str) -> None:
        """Something worth a line of its own."""

    def show(self, name: str, condition: Condition, detail: str = "") -> None:
        """A part is in this condition now."""

    def output(self, name: str, line: str) -> None:
        """A line that a part wrote."""

    def close(self) -> None:
        """Nothing more will be told."""


class PlainScreen:
    """One line an event, to standard output."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: dict[str, Condition] = {}

    def tell(self, message: str) -> None:
        """A line with the seconds since the start."""
        print(f"[{time.monotonic() - self._began:6.1f} s] {message}", flush=True)  # noqa: T201 - it is the output

    def show(self, name: str, condition: Condition, detail: str = "") -> None:
        """A line where the condition is new."""
        if self._last.get(name) is not condition:
            self._last[name] = condition
            self.tell(f"{name} {condition}{f': {detail}' if detail else ''}")

    def output(self, name: str, line: str) -> None:
        """The line behind its writer's name."""
        print(f"{name:<10} | {line}", flush=True)  # noqa: T201 - the same

    def close(self) -> None:
        """Nothing to close."""


class LiveScreen:
    """A table of the parts below the lines that pass."""

    def __init__(self, console: Console) -> None:
        self._rows: dict[str, tuple[Condition, str]] = {}
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4, transient=True)
        self._live.start()

    def tell(self, message: str) -> None:
        """A line above the table."""
        self._live.console.print(Text(message, style="bold"))

    def show(self, name: str, condition: Condition, detail: str = "") -> None:
        """The part's row."""
        self._rows[name] = (condition, detail or self._rows.get(name, (condition, ""))[1])

    def output(self, name: str, line: str) -> None:
        """The line above the table, with the colours its writer gave it."""
        self._live.console.print(Text(f"{name:<10} │ ", style="dim") + Text.from_ansi(line), soft_wrap=True)

    def close(self) -> None:
        """Leave the last table's place clean."""
        self._live.stop()

    def _table(self) -> Table:
        table = Table("part", "state", "where", box=None, header_style="dim")
        for name, (condition, detail) in self._rows.items():
            table.add_row(name, Text(condition, style=COLOURS.get(condition, "")), Text(detail, overflow="fold"))
        return table


def for_this_output() -> Screen:
    """The live table on a terminal, plain lines elsewhere."""
    console = Console()
    return LiveScreen(console) if console.is_terminal and sys.stdout.isatty() else PlainScreen()
