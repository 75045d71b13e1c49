"""From the records of a batch to what is asked of PostgreSQL, and from its rows to claims. Pure."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.dispatcher.delivery.events import Ended
from services.dispatcher.delivery.ports import Claim, Mailbox, Notice, Unshown, Webhook
from shared.contract import codec
from shared.contract.importance import Importance
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel, DeliveryState, NotificationState, Reason
from shared.contract.records import Record
from shared.postgres import dead_letters
from shared.postgres.dead_letters import DeadLetter


class Row(Protocol):
    """One row of a claim: id, state, reason, fence, notices, class_name, holds, templated, target."""

    def __getitem__(self, column: str, /) -> Any: ...


_A_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""RFC 9562 4; Python's UUID() reads more spellings than PostgreSQL."""

_UNSHOWN_PARTS = 2
"""What is told of a member that its digest only counts: its id, and whether it needs action."""

_ON_THE_WAY = frozenset({DeliveryState.LEASED, DeliveryState.RETRY})


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record as it came: its topic without prefix, and (partition, offset)."""

    record: Record
    position: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A batch, understood: each delivery id once, what could not be understood, and how far it reaches."""

    requests: Sequence[DeliveryRequested]
    poison: Sequence[DeadLetter]
    positions: Sequence[tuple[str, int, int]]


def asked(arrived: Iterable[Arrived], channel: Channel, positions: Sequence[tuple[str, int, int]]) -> Asked:
    """What the records of a batch ask for; of several about one delivery the latest attempt counts."""
    latest: dict[UUID, DeliveryRequested] = {}
    poison: list[DeadLetter] = []
    for each in arrived:
        try:
            request = _understood(each.record.value, channel)
        except codec.UndecodableError as error:
            poison.append(dead_letters.of_record(each.record, each.position, "", Reason.UNDECODABLE, str(error)))
            continue
        known = latest.get(request.id)
        if known is None or known.attempt < request.attempt:
            latest[request.id] = request
    return Asked(list(latest.values()), poison, positions)


def _understood(value: bytes | None, channel: Channel) -> DeliveryRequested:
    request = codec.decoded(value, DeliveryRequested)
    if request.channel is not channel:
        raise codec.UndecodableError(f"a delivery by {request.channel} does not belong on this topic")
    if channel is Channel.PUSH and not _A_UUID.fullmatch(request.endpoint):
        raise codec.UndecodableError("endpoint: a push endpoint is named by its UUID")
    return request


def refused(request: DeliveryRequested, said: Exception) -> DeadLetter:
    """The letter of a delivery whose values the record refuses; its own tenant and day may be what is refused."""
    detail = f"the record refuses it: {type(said).__name__}"
    letter = dead_letters.of_delivery(request, Reason.INVALID, detail)
    return dataclasses.replace(letter, tenant="", delivery_id=None, expires_on=None)


def sorted_out(requests: Sequence[DeliveryRequested], rows: Iterable[Row]) -> tuple[list[Claim], list[Ended]]:
    """The claims among the rows, and the deliveries that ended instead of being claimed."""
    by_id = {request.id: request for request in requests}
    claims: list[Claim] = []
    ended: list[Ended] = []
    for row in rows:
        request, state = by_id[row["id"]], DeliveryState(row["state"])
        if state is DeliveryState.LEASED:
            claims.append(_claim(request, row))
        elif state not in _ON_THE_WAY:
            ended.append(Ended(request, state, Reason(row["reason"]), [UUID(told[0]) for told in row["notices"]]))
    return claims, ended


def _claim(request: DeliveryRequested, row: Row) -> Claim:
    target = Webhook(*row["target"]) if request.channel is Channel.PUSH else Mailbox(*row["target"])
    notices = tuple(_notice(*told) for told in row["notices"] if len(told) > _UNSHOWN_PARTS)
    unshown = tuple(Unshown(UUID(told[0]), told[1]) for told in row["notices"] if len(told) == _UNSHOWN_PARTS)
    return Claim(
        request, row["fence"], row["holds"], row["class_name"], notices, target, unshown, templated=row["templated"]
    )


def _notice(notification: str, name: str, description: str, importance: str, class_key: str, *rest: Any) -> Notice:
    css_class, requires_action, completed, action_url, items, created_at, asset = rest
    state = NotificationState.NO_ACTION
    if requires_action:
        state = NotificationState.ACTION_COMPLETE if completed else NotificationState.ACTION_REQUIRED
    return Notice(
        UUID(notification), name, description, Importance(importance), class_key, css_class, state, action_url, items,
        datetime.fromisoformat(created_at), asset,
    )  # fmt: skip
