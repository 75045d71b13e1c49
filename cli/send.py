"""`tocsin send`: ask for notifications, from options or from a file."""

import asyncio
import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import documents, flags, output
from cli.errors import CommandError, ExitCode
from cli.target import Target
from shared.client import AsyncTocsin, Refused
from shared.client.answers import Accepted


def send(
    *,
    file: Annotated[
        Path | None, typer.Argument(help="JSON or NDJSON with one notification or many; - is stdin.")
    ] = None,
    to: Annotated[list[str] | None, typer.Option(help="A recipient's id; repeat it for more.")] = None,
    name: Annotated[str, typer.Option(help="What it is about, in one line.")] = "",
    description: Annotated[str, typer.Option(help="What it says, as Markdown.")] = "",
    source: Annotated[str, typer.Option(help="Who asks, as recipients know it.")] = "tocsin-cli",
    importance: Annotated[str, typer.Option(help="default, info, success, warning, danger or primary.")] = "default",
    class_: Annotated[str, typer.Option("--class", help="Communication class.")] = "general",
    channel: Annotated[list[str] | None, typer.Option(help="inbox, push or email; all by default.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Override an option of the class.")
    ] = None,
    action_url: Annotated[str | None, typer.Option(help="Where a recipient acts; makes an action required.")] = None,
    at: Annotated[str | None, typer.Option(metavar="LOCAL@ZONE", help="2026-12-01T09:00@Australia/Sydney")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes a second notification.")] = None,
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Ask Tocsin for one notification by options, or for those of a file."""
    fields = {
        "source": source,
        "name": name,
        "description": description or name,
        "recipients": to or [],
        "importance": importance,
        "class": class_,
        "channels": channel,
        "options": _options(option or []),
        "action_url": action_url,
        "requires_action": action_url and True,
        "schedule": _schedule(at),
        "idempotency_key": idempotency_key,
    }
    bodies = [{field: value for field, value in fields.items() if value is not None}]
    if file is not None:
        bodies = documents.notifications(file)
    answers = asyncio.run(_sent(Target(state, url, key).tocsin(), bodies))
    _show(answers, as_json=json)
    if any(isinstance(answer, Refused) for answer in answers):
        sys.exit(ExitCode.REFUSED)


async def _sent(client: AsyncTocsin, bodies: list[dict[str, Any]]) -> list[Accepted | Refused]:
    async with client as tocsin:
        return [await tocsin.submit(bodies[0])] if len(bodies) == 1 else await tocsin.submit_many(bodies)


def _show(answers: list[Accepted | Refused], *, as_json: bool) -> None:
    if as_json:
        output.as_json(answers if len(answers) != 1 else answers[0])
        return
    for number, answer in enumerate(answers, 1):
        if isinstance(answer, Accepted):
            later = f", schedule {answer.schedule_id}" if answer.schedule_id is not None else ""
            output.lines(f"{answer.notification_id} {answer.status}{later}")
        else:
            output.lines(f"notification {number} refused:", *documents.error_lines(answer.errors))


def _options(given: list[str]) -> dict[str, Any]:
    """Options by name; a value is JSON where it is JSON, else text."""
    options: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise CommandError(f"{text!r} is no option", "Write it as NAME=VALUE, such as email=immediate.")
        try:
            options[name] = jsonlib.loads(value)
        except ValueError:
            options[name] = value
    return options


def _schedule(at: str | None) -> dict[str, str] | None:
    if at is None:
        return None
    local, sign, zone = at.partition("@")
    if not sign:
        raise CommandError(f"{at!r} names no time zone", "Write it as 2026-12-01T09:00@Australia/Sydney.")
    return {"local": local, "timezone": zone}
