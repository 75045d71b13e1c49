"""A file of the directory taken to the console a piece at a time: with progress, and to be gone on with."""

import contextlib
import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli import documents, flags, output
from cli.errors import CommandError, ExitCode, told
from cli.target import Target
from shared.client import ClientError
from shared.client.answers import Imported, WrongLine

_LINES_OF_A_PIECE = 5_000
_CHARACTERS_OF_A_PIECE = 2_000_000
"""Far below the 16 MiB that the console takes, in whatever script."""

_CSV, _NDJSON = "text/csv", "application/x-ndjson"

FileArgument = Annotated[Path, typer.Argument(help="CSV with a header line, or NDJSON; - is stdin.")]


class Reading(flags.Group):
    """How a file is read.

    Args:
        as_csv: CSV or NDJSON; None goes by the file's name.
        from_line: the line to begin with, 1 being the first.
        dry_run: only check the file.
    """

    def __init__(
        self,
        *,
        as_csv: Annotated[bool | None, typer.Option("--csv/--ndjson", help="Else by the file's name.")] = None,
        from_line: Annotated[int, typer.Option(min=1, help="Pass over the lines before this one.")] = 1,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only check the file, without asking anybody.")
        ] = False,
    ) -> None:
        self.as_csv = as_csv
        self.from_line = from_line
        self.dry_run = dry_run


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that is a file too: its line n is line n + `shift` of the whole, which it brings to `last`."""

    text: str
    shift: int
    last: int


def pieces(text: str, first: int, *, is_csv: bool, most_lines: int = _LINES_OF_A_PIECE) -> Iterator[Piece]:
    """The file from line `first` on, cut between entries; a piece of CSV begins with the file's header."""
    entries = _csv_entries(text) if is_csv else iter(io.StringIO(text))
    header = next(entries, "") if is_csv else ""
    before = number = _lines_of(header)
    piece: list[str] = []
    size = 0
    for entry in entries:
        number += _lines_of(entry)
        if number < first:
            before = number
            continue
        piece.append(entry)
        size += len(entry)
        if number - before >= most_lines or size >= _CHARACTERS_OF_A_PIECE:
            yield Piece(header + "".join(piece), before - _lines_of(header), number)
            piece, size, before = [], 0, number
    if piece:
        yield Piece(header + "".join(piece), before - _lines_of(header), number)


def _csv_entries(text: str) -> Iterator[str]:
    """The rows of CSV as they stand there, each with its line breaks; from a mistake on, the rest in one."""
    lines = list(io.StringIO(text))
    reader = csv.reader(lines, strict=True)
    begun = 0
    with contextlib.suppress(csv.Error):
        for _ in reader:
            yield "".join(lines[begun : reader.line_num])
            begun = reader.line_num
    if begun < len(lines):
        yield "".join(lines[begun:])


def _lines_of(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n") and text != "")


def run(target: Target, file: Path, content: str, reading: Reading, *, as_json: bool) -> None:
    """Import a file, or only check it; tells wrong lines, and exits with a code when there were any.

    Raises:
        CommandError: the console said no or is away; it says which line to go on with.
    """
    is_csv = file.suffix.lower() == ".csv" if reading.as_csv is None else reading.as_csv
    parts = list(pieces(documents.text(file), reading.from_line, is_csv=is_csv))
    answer = Imported(imported=0, failed=0)
    for number, piece in enumerate(parts):
        try:
            taken = _taken(target, piece, content, is_csv=is_csv, dry_run=reading.dry_run)
        except ClientError as error:
            _show(answer, content, as_json=as_json)
            raise _stopped(error, reading.from_line if number == 0 else parts[number - 1].last + 1) from error
        answer = _together(answer, taken, piece.shift)
        if len(parts) > 1:
            sys.stderr.write(f"{piece.last} of {parts[-1].last} lines\n")
    _show(answer, content, as_json=as_json)
    if answer.failed:
        sys.exit(ExitCode.REFUSED)


def _taken(target: Target, piece: Piece, content: str, *, is_csv: bool, dry_run: bool) -> Imported:
    if dry_run:
        return checked(piece.text, content, is_csv=is_csv)
    body, content_type = piece.text.encode(), _CSV if is_csv else _NDJSON
    return target.asked(lambda console: console.import_directory(body, content_type, content))


def checked(text: str, content: str, *, is_csv: bool) -> Imported:
    """What the console would say to a file, by its own rules as far as they ask nobody; nothing is imported."""
    # The console brings FastAPI along, which would slow every other command down.
    from services.console import files  # noqa: PLC0415

    holds = files.Content(content)
    lines = list(files.lines_of_csv(text, holds) if is_csv else files.lines_of_ndjson(text, holds))
    wrong = tuple(WrongLine(line=line.number, errors=line.errors) for line in lines if line.entry is None)
    return Imported(imported=len(lines) - len(wrong), failed=len(wrong), errors=wrong)


def _together(answer: Imported, taken: Imported, shift: int) -> Imported:
    moved = tuple(WrongLine(line=wrong.line + shift, errors=wrong.errors) for wrong in taken.errors)
    return Imported(
        imported=answer.imported + taken.imported, failed=answer.failed + taken.failed, errors=answer.errors + moved
    )


def _stopped(error: ClientError, line: int) -> CommandError:
    why = told(error)
    return CommandError(
        f"{why}; stopped before line {line}", f"Go on with --from-line {line}. {why.next_step}".rstrip(), why.code
    )


def _show(answer: Imported, content: str, *, as_json: bool) -> None:
    wrong = [said for line in answer.errors for said in (f"line {line.line}:", *documents.error_lines(line.errors))]
    summary = f"{answer.imported} of {answer.imported + answer.failed} {content}"
    output.answer(answer, *wrong, summary, for_programs=as_json)
