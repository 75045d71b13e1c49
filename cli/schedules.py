"""`tocsin schedules`: what is asked for later."""

import asyncio
from typing import Annotated

import typer

from cli import flags, output
from cli.target import Target
from shared.client import Console
from shared.client.answers import Schedule

app = typer.Typer(help="List and cancel notifications asked for later.", no_args_is_help=True)


@app.command("list")
def list_(*, state: flags.State = None, url: flags.Url = None, key: flags.Key = None, json: flags.Json = False) -> None:
    """List the tenant's schedules."""
    found = asyncio.run(_listed(Target(state, url, key).console()))
    if json:
        output.as_json(found)
        return
    output.table(
        ("id", "notification", "due (UTC)", "local", "zone", "state"),
        [
            (each.id, each.notification_id, output.moment(each.due_at), each.local, each.timezone, each.state)
            for each in found
        ],
    )


@app.command("cancel")
def cancel(
    *,
    schedule_id: Annotated[int, typer.Argument(help="The number that `send --at` answered.")],
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Cancel a schedule that is still pending."""
    asyncio.run(_cancelled(Target(state, url, key).console(), schedule_id))
    output.as_json({"id": schedule_id, "state": "cancelled"}) if json else output.lines(f"{schedule_id} cancelled")


async def _listed(client: Console) -> list[Schedule]:
    async with client as console:
        return [each async for each in console.schedules()]


async def _cancelled(client: Console, schedule_id: int) -> None:
    async with client as console:
        await console.cancel_schedule(schedule_id)
