"""`tocsin send`: ask for notifications, from options or from a file."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import documents, flags, output
from cli.asking import Wanted
from cli.errors import CommandError, ExitCode
from cli.target import Target
from shared.client import AsyncTocsin, Refused, UnavailableError
from shared.client.answers import Accepted
from shared.client.notify import keyed_body

KEY = "idempotency_key"


@flags.spelled_out
def send(
    *,
    file: Annotated[
        Path | None, typer.Argument(help="JSON or NDJSON with one notification or many; - is stdin.")
    ] = None,
    wanted: Wanted,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Ask Tocsin for one notification by options, or for those of a file."""
    if file is not None and wanted != Wanted():
        raise CommandError("a notification comes from a file or from options, not from both", "Leave one of them out.")
    bodies = [wanted.body()] if file is None else documents.notifications(file)
    keyed = [keyed_body(body) for body in bodies]
    try:
        answers = asyncio.run(_sent(target.tocsin(), keyed))
    except UnavailableError as error:
        raise CommandError(str(error), how_to_repeat(bodies, keyed), ExitCode.UNAVAILABLE) from error
    output.answer(answers if len(answers) != 1 else answers[0], *_shown(answers), for_programs=json)
    if any(isinstance(answer, Refused) for answer in answers):
        sys.exit(ExitCode.REFUSED)


def how_to_repeat(given: Sequence[Mapping[str, Any]], keyed: Sequence[Mapping[str, Any]]) -> str:
    """What to do after no answer came: it may have arrived, so a repeat must go under the same key.

    `keyed` are the bodies that were sent, `given` the same as the user gave them.
    """
    if all(body.get(KEY) for body in given):
        return "It may have arrived. The same command is safe to repeat: nothing is sent twice under its key."
    if len(given) == 1:
        return f"It may have arrived. Repeat it with --idempotency-key {keyed[0][KEY]}, so that it is not sent twice."
    return "Some may have arrived. Give each an idempotency_key before you send the file, then repeats are safe."


async def _sent(client: AsyncTocsin, bodies: list[dict[str, Any]]) -> list[Accepted | Refused]:
    async with client as tocsin:
        return [await tocsin.submit(bodies[0])] if len(bodies) == 1 else await tocsin.submit_many(bodies)


def _shown(answers: list[Accepted | Refused]) -> Iterator[str]:
    for number, answer in enumerate(answers, 1):
        if isinstance(answer, Accepted):
            later = f", schedule {answer.schedule_id}" if answer.schedule_id is not None else ""
            yield f"{answer.notification_id} {answer.status}{later}"
        else:
            yield f"notification {number} refused:"
            yield from documents.error_lines(answer.errors)
