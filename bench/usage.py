"""What the parts of a running system use of the machine, and the JSON line that ends every measurement."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from deploy.local import trial

Usage = Mapping[str, tuple[float, int]]
"""CPU seconds and resident bytes by part."""


def measured(running: trial.Trial) -> Usage:
    """What every part has used up to now; PostgreSQL's backends belong to it."""
    usage = {}
    for name, pid in running.endpoints["pids"].items():
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
        times = [process.cpu_times() for process in processes]
        seconds = sum(spent.user + spent.system for spent in times)
        usage[name] = (seconds, max(process.memory_info().rss for process in processes))
    return usage


def cpu_us(before: Usage, after: Usage, items: int) -> dict[str, float]:
    """CPU microseconds an item by part."""
    return {name: round((after[name][0] - before.get(name, (0.0, 0))[0]) / items * 1e6, 1) for name in after}


def rss_mb(usage: Usage) -> dict[str, float]:
    """Resident megabytes by part."""
    return {name: round(used[1] / 2**20, 1) for name, used in usage.items()}


def quantile_ms(seconds: Sequence[float], share: float) -> float:
    """A quantile of durations, exact: the smallest that `share` of them do not exceed."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1) if ordered else 0.0


def told(result: Mapping[str, Any]) -> None:
    """A table for people on stderr, a JSON line for programs on stdout."""
    table = Table("figure", "value")
    for name, value in result.items():
        table.add_row(name, str(value))
    Console(file=sys.stderr).print(table)
    print(json.dumps(result), flush=True)
