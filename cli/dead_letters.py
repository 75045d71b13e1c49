"""`tocsin dead-letters`: what could not be understood, and what was given up."""

import asyncio
import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from cli import flags, output
from cli.errors import CommandError
from cli.target import Target
from shared.client import Console
from shared.client.answers import DeadLetter, Redriven

app = typer.Typer(help="Look at dead letters and send them again.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    reason: Annotated[str | None, typer.Option(help="Only those of this reason.")] = None,
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """List dead letters, with where they came from and why."""
    found = asyncio.run(_listed(Target(state, url, key).console(), reason))
    if json:
        output.as_json(found)
        return
    output.table(
        ("id", "at (UTC)", "reason", "from", "detail", "redriven (UTC)"),
        [
            (each.id, output.moment(each.at), each.reason, _origin(each), each.detail, output.moment(each.redriven))
            for each in found
        ],
    )


@app.command("show")
def show(
    *,
    letter_id: Annotated[UUID, typer.Argument(help="The id, as `dead-letters list` shows it.")],
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Show one dead letter with the bytes as they came."""
    found = asyncio.run(_one(Target(state, url, key).console(), letter_id))
    if json:
        output.as_json(found)
        return
    output.lines(
        f"{found.id}  {found.reason}: {found.detail}", f"from {_origin(found)} at {output.moment(found.at)} UTC", ""
    )
    output.lines(base64.b64decode(found.original).decode("utf-8", "backslashreplace") if found.original else "(empty)")


@app.command("redrive")
def redrive(
    *,
    letter_id: Annotated[list[UUID] | None, typer.Argument(help="These; or choose by --reason or --since.")] = None,
    reason: Annotated[str | None, typer.Option(help="All of this reason.")] = None,
    since: Annotated[datetime | None, typer.Option(help="All since, UTC unless an offset is given.")] = None,
    rate: Annotated[float | None, typer.Option(help="Most a second; 10 unless said.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Send dead letters again, under their own ids, so that what arrived before is recognised."""
    chosen = selection(letter_id or [], reason, since)
    chosen |= {"dry_run": dry_run} | ({"rate_per_second": rate} if rate is not None else {})
    answer = asyncio.run(_redriven(Target(state, url, key).console(), chosen))
    if json:
        output.as_json(answer)
    elif answer.dry_run:
        output.lines(f"{answer.matched} would be sent again, over {answer.seconds:g} s")
    else:
        output.lines(f"{answer.redriven} of {answer.matched} are sent again, over {answer.seconds:g} s")


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


async def _listed(client: Console, reason: str | None) -> list[DeadLetter]:
    async with client as console:
        return [each async for each in console.dead_letters(reason)]


async def _one(client: Console, letter_id: UUID) -> DeadLetter:
    async with client as console:
        return await console.dead_letter(letter_id)


async def _redriven(client: Console, chosen: Mapping[str, Any]) -> Redriven:
    async with client as console:
        return await console.redrive(chosen)


def _origin(letter: DeadLetter) -> str:
    return letter.topic if letter.partition is None else f"{letter.topic}/{letter.partition}@{letter.offset}"
