"""`tocsin schedules`: what is asked for later."""

from typing import Annotated

import typer

from cli import flags, output
from cli.target import Target

app = typer.Typer(help="List and cancel notifications asked for later.", no_args_is_help=True)


@app.command("list")
@flags.spelled_out
def list_(
    *,
    owner: Annotated[
        str | None, typer.Option(help="Only those that this key, or user of a dialect, asked for.")
    ] = None,
    target: Target,
    json: flags.Json = False,
) -> None:
    """List the tenant's schedules."""
    found = target.listed(lambda console: console.schedules(owner))
    shown = output.table(
        ("id", "notification", "due (UTC)", "local", "zone", "state"),
        [
            (each.id, each.notification_id, output.moment(each.due_at), each.local, each.timezone, each.state)
            for each in found
        ],
    )
    output.answer(found, shown, for_programs=json)


@app.command("cancel")
@flags.spelled_out
def cancel(
    *,
    schedule_id: Annotated[int, typer.Argument(help="The number that `send --at` answered.")],
    target: Target,
    json: flags.Json = False,
) -> None:
    """Cancel a schedule that is still pending."""
    target.asked(lambda console: console.cancel_schedule(schedule_id))
    output.answer({"id": schedule_id, "state": "cancelled"}, f"{schedule_id} cancelled", for_programs=json)
