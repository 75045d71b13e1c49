"""Running `tocsin` in this process, as a shell would see it."""

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.app import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as the JSON document it promised."""
        return json.loads(self.out)


def tocsin(*arguments: str) -> Ran:
    """Run one command to its end."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = _exit_code(arguments)
    return Ran(code, out.getvalue(), err.getvalue())


def _exit_code(arguments: Sequence[str]) -> int:
    try:
        main(arguments)
    except SystemExit as exited:
        return exited.code if isinstance(exited.code, int) else 1
    return 0
