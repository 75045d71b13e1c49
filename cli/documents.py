"""Notifications in files: one JSON object, an array, a batch as the API takes it, or one object a line."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from shared.contract.messages import FieldError

STDIN = Path("-")


def text(path: Path) -> str:
    """The text of a file, or of stdin for `-`.

    Raises:
        CommandError: it cannot be read, or is not UTF-8.
    """
    try:
        content = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8: byte {error.start}", "Save it as UTF-8.") from error


def notifications(path: Path) -> list[Any]:
    """The notifications of a file, unchecked: whatever JSON stands where a notification should.

    Raises:
        CommandError: it is no JSON, or holds nothing.
    """
    content = text(path)
    try:
        whole = json.loads(content)
    except ValueError as error:
        found = _by_line(content, path, error)
    else:
        found = _of_document(whole)
    if not found:
        raise CommandError(f"{path} holds no notification")
    return found


def _of_document(whole: Any) -> list[Any]:
    if isinstance(whole, dict) and isinstance(whole.get("notifications"), list):
        return list(whole["notifications"])
    return whole if isinstance(whole, list) else [whole]


def _by_line(content: str, path: Path, whole: ValueError) -> list[Any]:
    """NDJSON; where not even the first line is JSON, the error of the whole document says more."""
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except ValueError as error:
            if not found:
                raise CommandError(f"{path} is not JSON: {whole}") from whole
            raise CommandError(f"{path} is not JSON in line {number}: {error}") from error
    return found


def error_lines(errors: Iterable[FieldError]) -> list[str]:
    """Field errors as people read them: where, and what to do."""
    return [f"  {error.pointer or '/'}: {error.detail}" for error in errors]
