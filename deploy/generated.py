"""Files that are made from the code: written, or with `--check` only compared with what they should hold."""

import argparse
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

Files = Callable[[], Mapping[pathlib.Path, str]]
"""Gives every generated file with the text it should hold."""


def stale(files: Files) -> list[str]:
    """The names of the files that do not hold what the code says now."""
    return [path.name for path, text in files().items() if not path.is_file() or path.read_text() != text]


def command(program: str, files: Files, arguments: Sequence[str] | None = None) -> int:
    """Write the files and return 0, or with `--check` write nothing and return 1 where one is behind the code."""
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a file is not current")
    if parser.parse_args(arguments).check:
        behind = stale(files)
        if behind:
            sys.stderr.write(f"{program}: not current, run `make generate`: {', '.join(behind)}\n")
        return 1 if behind else 0
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0
