"""What commands print: one JSON document for programs, tables and lines for people."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDTH_WITHOUT_TERMINAL = 180


def as_json(value: Any, to: TextIO | None = None) -> None:
    """Print a value as one JSON document; models by their wire names."""
    out = to or sys.stdout
    out.write(json.dumps(value, default=_plain, ensure_ascii=False, indent=2) + "\n")
    out.flush()


def answer(value: Any, *shown: str | Table, for_programs: bool) -> None:
    """Print what came of a command: the value as JSON for programs, else lines and tables for people."""
    if for_programs:
        as_json(value)
        return
    for part in shown:
        if isinstance(part, Table):
            terminal().print(part)
        else:
            lines(part)


def lines(*text: str) -> None:
    """Print plain lines, none of them changed by markup or width."""
    sys.stdout.write("".join(f"{line}\n" for line in text))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Rows under column names; None shows as an empty cell."""
    shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        shown.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    return shown


def terminal() -> Console:
    """Where people read; a pipe gets room enough that no id is cut."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False)


def moment(value: Any) -> str:
    """A time to the millisecond as people compare times, in UTC."""
    return "" if value is None else value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else str(value)
