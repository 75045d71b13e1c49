"""`tocsin dead-letters`: what could not be understood, and what was given up."""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from cli import flags, output
from cli.errors import CommandError
from cli.target import Target
from shared.client.answers import DeadLetter

app = typer.Typer(help="Look at dead letters and send them again.", no_args_is_help=True)


@app.command("list")
@flags.spelled_out
def list_(
    *,
    reason: Annotated[str | None, typer.Option(help="Only those of this reason.")] = None,
    target: Target,
    json: flags.Json = False,
) -> None:
    """List dead letters, with where they came from and why."""
    found = target.listed(lambda console: console.dead_letters(reason))
    shown = output.table(
        ("id", "at (UTC)", "reason", "from", "detail", "redriven (UTC)"),
        [
            (each.id, output.moment(each.at), each.reason, _origin(each), each.detail, output.moment(each.redriven))
            for each in found
        ],
    )
    output.answer(found, shown, for_programs=json)


@app.command("show")
@flags.spelled_out
def show(
    *,
    letter_id: Annotated[UUID, typer.Argument(help="The id, as `dead-letters list` shows it.")],
    target: Target,
    json: flags.Json = False,
) -> None:
    """Show one dead letter with the bytes as they came."""
    found = target.asked(lambda console: console.dead_letter(letter_id))
    original = base64.b64decode(found.original).decode("utf-8", "backslashreplace") if found.original else "(empty)"
    origin = f"from {_origin(found)} at {output.moment(found.at)} UTC"
    output.answer(found, f"{found.id}  {found.reason}: {found.detail}", origin, "", original, for_programs=json)


@app.command("redrive")
@flags.spelled_out
def redrive(
    *,
    letter_id: Annotated[list[UUID] | None, typer.Argument(help="These; or choose by --reason or --since.")] = None,
    reason: Annotated[str | None, typer.Option(help="All of this reason.")] = None,
    since: Annotated[datetime | None, typer.Option(help="All since, UTC unless an offset is given.")] = None,
    rate: Annotated[float | None, typer.Option(help="Most a second; 10 unless said.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Send dead letters again, under their own ids, so that what arrived before is recognised."""
    chosen = selection(letter_id or [], reason, since)
    chosen |= {"dry_run": dry_run} | ({"rate_per_second": rate} if rate is not None else {})
    found = target.asked(lambda console: console.redrive(chosen))
    done = f"{found.redriven} of {found.matched} are sent again"
    what = f"{found.matched - len(found.refused)} would be sent again" if found.dry_run else done
    refused = "".join(f"\n{letter.id} is not: {letter.detail}" for letter in found.refused)
    output.answer(found, f"{what}, over {found.seconds:g} s{refused}", for_programs=json)


def selection(ids: list[UUID], reason: str | None, since: datetime | None) -> dict[str, Any]:
    """Which dead letters are meant: exactly one of ids, reason and since.

    Raises:
        CommandError: none or several were given.
    """
    moment = since.replace(tzinfo=since.tzinfo or UTC).isoformat() if since else None
    given = {
        name: value
        for name, value in {"ids": [str(each) for each in ids], "reason": reason, "since": moment}.items()
        if value
    }
    if len(given) != 1:
        raise CommandError("choose by ids, by --reason or by --since: one of them", "`dead-letters list` shows both.")
    return given


def _origin(letter: DeadLetter) -> str:
    return letter.topic if letter.partition is None else f"{letter.topic}/{letter.partition}@{letter.offset}"
