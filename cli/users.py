"""`tocsin users`: the directory's users from a file, and everything about one person told or erased."""

import asyncio
import json as json_text
import sys
from typing import Annotated

import typer
from rich.table import Table

from cli import directory_import, flags, output
from cli.directory_import import FileArgument, Reading
from cli.errors import CommandError, ExitCode
from cli.target import Target
from shared.client.persons import Erasure

app = typer.Typer(help="Keep the directory of recipients.", no_args_is_help=True)


@app.command("import")
@flags.spelled_out
def import_(*, file: FileArgument, reading: Reading, target: Target, json: flags.Json = False) -> None:
    """Make or change the users of a file; lines that are wrong are told and do not stop the others."""
    directory_import.run(target, file, "users", reading, as_json=json)


UserId = Annotated[str, typer.Argument(help="The person's id in the directory, which need not know it any more.")]


@app.command("export")
@flags.spelled_out
def export(*, user_id: UserId, target: Target, json: flags.Json = False) -> None:
    """Print everything about a person, a row a line as JSON; with --json as one document."""
    asyncio.run(_exported(target, user_id, as_json=json))


async def _exported(target: Target, user_id: str, *, as_json: bool) -> None:
    async with target.console() as console:
        if as_json:
            output.as_json([row async for row in console.export_user(user_id)])
            return
        async for row in console.export_user(user_id):
            output.lines(json_text.dumps(row.model_dump(mode="json"), ensure_ascii=False))


@app.command("erase")
@flags.spelled_out
def erase(
    *,
    user_id: UserId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    within: Annotated[float, typer.Option(help="Seconds to go on asking while something is being sent.")] = 120.0,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Erase everything about a person, and say what stays, why and until when."""
    if not yes:
        _confirmed(user_id)
    report = target.asked(lambda console: console.erase_user(user_id, within))
    output.answer(report, *_shown(report), for_programs=json)
    if not report.complete:
        raise CommandError(
            "something about the person is still being sent", "Run the same command again.", ExitCode.UNAVAILABLE
        )


def _confirmed(user_id: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError(f"erasing {user_id} cannot be undone", "Say --yes if it is meant.")
    typer.confirm(f"Erase everything about {user_id}? It cannot be undone.", abort=True, err=True)


def _shown(report: Erasure) -> tuple[str | Table, ...]:
    tables = output.table(
        ("table", "erased", "remaining", "what becomes of it"),
        [(each.table, each.erased, each.remaining or None, each.treatment) for each in report.tables],
    )
    until = output.table(
        ("topic", "may hold copies until (UTC)"), [(each.topic, output.moment(each.until)) for each in report.topics]
    )
    return tables, until, "nothing is left" if report.complete else "not everything is erased yet"
