"""What something that happened to a notification means for each of its recipients, a stretch of them at a time.

What happened stands in the notification's own row, and counts at once for whoever reads one of its items. The rest
follows: the first stretch in the same transaction, all others by the row that is left in `follow_ups`.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.contract import records
from shared.contract.outcomes import EmailPlan
from shared.contract.records import Record
from shared.postgres.pool import Connection

AT_ONCE = 500
"""Recipients that a transaction sees to itself, before it leaves the others to the dispatcher."""


class Kind(StrEnum):
    """What happened: somebody completed the action, a script withdrew it, a script is to run for each recipient."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What happened to a notification `at` a time, and the recipient up to whom it is seen to, in the order of ids."""

    tenant: str
    kind: Kind
    notification_id: UUID
    expires_on: date
    at: datetime
    recipient_after: str = ""
    run: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What was meant for a recipient."""

    recipient: str
    hidden: bool
    push_endpoints: Sequence[UUID]
    email_plan: EmailPlan


_ITEMS = """
SELECT recipient, hidden, push_endpoints, email_plan FROM inbox_items
WHERE tenant = $1 AND notification_id = $2 AND expires_on = $3 AND recipient > $4
ORDER BY recipient LIMIT $5
"""


async def items(connection: Connection, what: FollowUp, most: int) -> list[Item]:
    """The items of the next recipients; fewer than `most` are the last."""
    asked = (what.tenant, what.notification_id, what.expires_on, what.recipient_after, most)
    return [
        Item(row["recipient"], row["hidden"], row["push_endpoints"], EmailPlan(row["email_plan"]))
        for row in await connection.fetch(_ITEMS, *asked)
    ]


_LEAVE = """
INSERT INTO follow_ups (tenant, kind, notification_id, expires_on, at, recipient_after, run, turned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, db_now())
"""


async def begun(connection: Connection, what: FollowUp) -> list[Item]:
    """The first items within the caller's transaction, which sees to them; the others are left to the dispatcher."""
    found = await items(connection, what, AT_ONCE)
    if len(found) == AT_ONCE:
        left = dataclasses.replace(what, recipient_after=found[-1].recipient)
        await connection.execute(_LEAVE, *dataclasses.astuple(left))
    return found


def hints(what: FollowUp, seen_to: Iterable[Item]) -> list[Record]:
    """What tells the inboxes in which these items show that they changed."""
    return [records.inbox_changed(what.tenant, item.recipient, what.at) for item in seen_to if not item.hidden]
