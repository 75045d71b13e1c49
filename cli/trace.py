"""`tocsin trace ID`: what became of a notification, and why."""

import asyncio
import time
from typing import Annotated
from uuid import UUID

import typer

from cli import flags, output
from cli.target import Target
from shared.client import Console, RefusedError, Trace
from shared.client.answers import Delivery
from shared.contract.outcomes import DeliveryState

_UNDER_WAY = frozenset({DeliveryState.LEASED, DeliveryState.RETRY})
_POLL_SECONDS = 0.5


def trace(
    *,
    notification_id: Annotated[UUID, typer.Argument(help="The id that `send` answered.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait until deliveries exist and all have ended.")] = 0.0,
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Show what happened to a notification: its story, and each delivery with its attempts and reason."""
    found = asyncio.run(_found(Target(state, url, key).console(), notification_id, time.monotonic() + wait))
    if json:
        output.as_json(found)
    else:
        _show(found)


async def _found(client: Console, notification_id: UUID, until: float) -> Trace:
    async with client as console:
        while True:
            found = await _once(console, notification_id, last=time.monotonic() >= until)
            if found is not None:
                return found
            await asyncio.sleep(_POLL_SECONDS)


async def _once(console: Console, notification_id: UUID, *, last: bool) -> Trace | None:
    """The trace if it is what was waited for; in the last round whatever there is."""
    try:
        found = await console.trace(notification_id)
    except RefusedError as error:
        if error.is_missing and not last:
            return None
        raise
    return found if last or has_ended(found) else None


def has_ended(found: Trace) -> bool:
    """Whether there are deliveries and none is under way."""
    return bool(found.deliveries) and all(delivery.state not in _UNDER_WAY for delivery in found.deliveries)


def _show(found: Trace) -> None:
    output.lines(f"{found.notification_id}  {found.state}", "")
    output.table(
        ("at (UTC)", "event", "detail"),
        [(output.moment(entry.at), entry.event, _words(entry.detail)) for entry in found.timeline],
    )
    output.lines("")
    output.table(
        ("recipient", "channel", "endpoint", "state", "reason", "attempts"),
        [
            (each.recipient, each.channel, each.endpoint, each.state, each.reason or each.digest_id, _attempts(each))
            for each in found.deliveries
        ],
    )


def _words(detail: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value not in (None, "", [], {}))


def _attempts(delivery: Delivery) -> str:
    return "; ".join(
        f"{output.moment(attempt.at)[11:]} {attempt.outcome}" + (f" ({attempt.reason})" if attempt.reason else "")
        for attempt in delivery.attempts
    )
