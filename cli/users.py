"""`tocsin users import`: the directory from a file."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import directory, documents, flags, output
from cli.directory import Row
from cli.errors import ExitCode
from cli.target import Target
from shared.client import Console, RefusedError

app = typer.Typer(help="Keep the directory of recipients.", no_args_is_help=True)

_AT_ONCE = 8


@app.command("import")
def import_(
    *,
    file: Annotated[Path, typer.Argument(help="CSV with a header line, or NDJSON; - is stdin.")],
    as_csv: Annotated[bool | None, typer.Option("--csv/--ndjson", help="Else by the file's name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Make or change the users of a file; lines that are wrong are told and do not stop the others."""
    by_name = file.suffix.lower() == ".csv" if as_csv is None else as_csv
    rows = list(directory.rows(documents.text(file), as_csv=by_name))
    failed = [row for row in rows if row.user is None]
    sound = [row for row in rows if row.user is not None]
    if not dry_run:
        failed += asyncio.run(_put(Target(state, url, key).console(), sound))
    _show(len(rows), failed, as_json=json)
    if failed:
        sys.exit(ExitCode.REFUSED)


async def _put(client: Console, rows: Sequence[Row]) -> list[Row]:
    """Put every user, a few at once; returns those refused, with the reason."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def put(row: Row) -> Row | None:
        async with room:
            try:
                await console.put_user(row.user or {})
            except RefusedError as error:
                return Row(row.line, None, str(error))
        return None

    async with client as console:
        answers = await asyncio.gather(*(put(row) for row in rows))
    return [row for row in answers if row is not None]


def _show(total: int, failed: Sequence[Row], *, as_json: bool) -> None:
    ordered = sorted(failed, key=lambda row: row.line)
    if as_json:
        output.as_json({"users": total, "done": total - len(failed),
                        "errors": [{"line": row.line, "error": row.error} for row in ordered]})  # fmt: skip
        return
    output.lines(*(f"line {row.line}: {row.error}" for row in ordered), f"{total - len(failed)} of {total} users")


@app.callback()
def _group() -> None:
    """Keep `import` a word of its own although it is the only command."""
