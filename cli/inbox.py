"""`tocsin inbox`: a recipient's notifications, listed and managed for them with an admin key."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import typer

from cli import flags, output
from cli.target import Target
from shared.client import Inbox
from shared.client.answers import ActionUrl, Confirmation, InboxItem
from shared.client.inbox import Show

app = typer.Typer(help="List and manage a recipient's notifications.", no_args_is_help=True)

Recipient = Annotated[str, typer.Argument(help="Whose inbox it is.")]
Item = Annotated[UUID, typer.Argument(help="The notification's id.")]


@app.command("list")
@flags.spelled_out
def list_(
    *,
    recipient: Recipient,
    show: Annotated[Show, typer.Option(help="Which items.")] = "open",
    target: Target,
    json: flags.Json = False,
) -> None:
    """List a recipient's items as the inbox presents them."""
    found = target.inbox_of(recipient, lambda inbox: _every(inbox, show))
    shown = output.table(
        ("id", "importance", "class", "state", "created (UTC)", "name"),
        [
            (each.id, each.importance, each.class_key, each.state, output.moment(each.created_at), each.name)
            for each in found
        ],
    )
    output.answer(found, shown, for_programs=json)


@app.command("complete")
@flags.spelled_out
def complete(
    *,
    recipient: Recipient,
    item: Item,
    at_once: Annotated[bool, typer.Option("--at-once", help="Whatever its action URL, without asking.")] = False,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Complete an item for all its recipients, or say how they shall."""
    answer = target.inbox_of(recipient, lambda inbox: inbox.complete(item, at_once=at_once))
    output.answer(answer, _how(answer), for_programs=json)


@app.command("dismiss")
@flags.spelled_out
def dismiss(*, recipient: Recipient, item: Item, target: Target, json: flags.Json = False) -> None:
    """Hide an item from a recipient's open ones."""
    _changed(target, recipient, lambda inbox: inbox.dismiss(item), json=json)


@app.command("undismiss")
@flags.spelled_out
def undismiss(*, recipient: Recipient, item: Item, target: Target, json: flags.Json = False) -> None:
    """Bring a dismissed item back."""
    _changed(target, recipient, lambda inbox: inbox.undismiss(item), json=json)


async def _every(inbox: Inbox, show: Show) -> list[InboxItem]:
    return [item async for item in inbox.items(show)]


def _changed(target: Target, recipient: str, act: Callable[[Inbox], Awaitable[InboxItem]], *, json: bool) -> None:
    item = target.inbox_of(recipient, act)
    word = "dismissed" if item.dismissed else "open"
    output.answer(item, f"{item.id} {word}", for_programs=json)


def _how(answer: InboxItem | ActionUrl | Confirmation) -> str:
    if isinstance(answer, ActionUrl):
        return f"complete it at {answer.url}, or with --at-once"
    if isinstance(answer, Confirmation):
        return f"{answer.confirm} If so, repeat with --at-once."
    return f"{answer.id} completed by {answer.completed_by}"
