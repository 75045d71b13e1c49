"""`tocsin users import`: the directory from a file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import documents, flags, output
from cli.errors import ExitCode
from cli.target import Target
from shared.client.answers import Imported, WrongLine

app = typer.Typer(help="Keep the directory of recipients.", no_args_is_help=True)

_CSV, _NDJSON = "text/csv", "application/x-ndjson"


@app.command("import")
@flags.spelled_out
def import_(
    *,
    file: Annotated[Path, typer.Argument(help="CSV with a header line, or NDJSON; - is stdin.")],
    as_csv: Annotated[bool | None, typer.Option("--csv/--ndjson", help="Else by the file's name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file, without asking anybody.")] = False,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Make or change the users of a file; lines that are wrong are told and do not stop the others."""
    is_csv = file.suffix.lower() == ".csv" if as_csv is None else as_csv
    text = documents.text(file)
    if dry_run:
        answer = checked(text, is_csv=is_csv)
    else:
        content_type = _CSV if is_csv else _NDJSON
        answer = target.asked(lambda console: console.import_users(text.encode(), content_type))
    wrong = [said for line in answer.errors for said in (f"line {line.line}:", *documents.error_lines(line.errors))]
    output.answer(answer, *wrong, f"{answer.imported} of {answer.imported + answer.failed} users", for_programs=json)
    if answer.failed:
        sys.exit(ExitCode.REFUSED)


def checked(text: str, *, is_csv: bool) -> Imported:
    """What the console would say to a file, by its own rules; nothing is imported."""
    # The console brings FastAPI along, which would slow every other command down.
    from services.console import directory  # noqa: PLC0415

    lines = list(directory.lines_of_csv(text) if is_csv else directory.lines_of_ndjson(text))
    wrong = tuple(WrongLine(line=line.number, errors=line.errors) for line in lines if line.user is None)
    return Imported(imported=len(lines) - len(wrong), failed=len(wrong), errors=wrong)


@app.callback()
def _group() -> None:
    """Keep `import` a word of its own although it is the only command."""
