"""`tocsin trace ID`: what became of a notification, and why."""

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from cli import flags, output
from cli.target import Target
from shared.client import Console, RefusedError, Trace
from shared.client.answers import Delivery

_OVER = frozenset({"ended", "cancelled", "expired"})
_POLL_SECONDS = 0.5


@flags.spelled_out
def trace(
    *,
    notification_id: Annotated[UUID, typer.Argument(help="The id that `send` answered.")],
    recipient: Annotated[str | None, typer.Option(help="Only this recipient's deliveries.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until all of it has ended.")] = 0.0,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Show what happened to a notification: its story, and each delivery with its attempts and reason."""
    asked = Asked(notification_id, recipient, time.monotonic() + wait)
    found = target.asked(lambda console: _found(console, asked))
    output.answer(found, *_shown(found), for_programs=json)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which trace is wanted, and how long (a monotonic time) to wait for its end."""

    notification_id: UUID
    recipient: str | None
    until: float


async def _found(console: Console, asked: Asked) -> Trace:
    while True:
        found = await _once(console, asked, last=time.monotonic() >= asked.until)
        if found is not None:
            return found
        await asyncio.sleep(_POLL_SECONDS)


async def _once(console: Console, asked: Asked, *, last: bool) -> Trace | None:
    """The trace if it is what was waited for; in the last round whatever there is."""
    try:
        found = await console.trace(asked.notification_id, asked.recipient)
    except RefusedError as error:
        if error.is_missing and not last:
            return None
        raise
    return found if last or found.state in _OVER else None


def _shown(found: Trace) -> tuple[str, str, Table, str, Table]:
    story = output.table(
        ("at (UTC)", "event", "detail"),
        [(output.moment(entry.at), entry.event, _words(entry.detail)) for entry in found.timeline],
    )
    deliveries = output.table(
        ("recipient", "channel", "endpoint", "state", "why", "attempts (UTC)"),
        [
            (each.recipient, each.channel, each.endpoint, each.state, _why(each), _attempts(each))
            for each in found.deliveries
        ],
    )
    return f"{found.notification_id}  {found.state}", "", story, "", deliveries


def _words(detail: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value not in (None, "", [], {}))


def _why(delivery: Delivery) -> str:
    """The reason, the digest it stands in, and when the next step is due, as far as there are such."""
    parts = [
        delivery.reason,
        f"in digest {delivery.digest_id}" if delivery.digest_id else None,
        f"due {output.moment(delivery.due_at)[11:]}" if delivery.due_at else None,
    ]
    return ", ".join(part for part in parts if part)


def _attempts(delivery: Delivery) -> str:
    return "; ".join(
        f"{output.moment(attempt.at)[11:]} {attempt.outcome}" + (f" ({attempt.reason})" if attempt.reason else "")
        for attempt in delivery.attempts
    )
