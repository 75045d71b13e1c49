"""What is done for some recipients of a notification, by what happened to it."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import asyncpg

from services.dispatcher.runs import planning
from services.dispatcher.runs import store as runs
from services.dispatcher.runs.planning import Asked
from shared.contract import ids, records
from shared.contract.outcomes import EmailPlan, Reason
from shared.contract.records import Record
from shared.postgres import follow_ups
from shared.postgres.follow_ups import FollowUp, Item, Kind
from shared.postgres.pool import Connection


async def begin(connection: Connection, what: FollowUp) -> list[Record]:
    """See to the first recipients within the caller's transaction, and leave the others to the loop."""
    return await see_to(connection, what, await follow_ups.begun(connection, what))


async def see_to(connection: Connection, what: FollowUp, items: Sequence[Item]) -> list[Record]:
    """Do within the caller's transaction what follows for the recipients of these items; what they and others are told.

    Doing it again changes nothing and tells the same.
    """
    match what.kind:
        case Kind.COMPLETED:
            return follow_ups.hints(what, items)
        case Kind.CANCELLED:
            return [*await _cancelled(connection, what, items), *follow_ups.hints(what, items)]
        case Kind.SCHEDULED:
            asked = Asked.of(what.run or {})
            about = (what.tenant, what.notification_id, what.expires_on)
            await runs.insert(connection, [planning.later_run(about, asked, item.recipient) for item in items])
            return []


# Locked in the order of ids, as a claim does, so that the two never wait for each other in a ring.
_CANCEL_DELIVERIES = """
WITH waiting AS MATERIALIZED (
  SELECT id FROM deliveries
  WHERE tenant = $1 AND expires_on = $2 AND id = ANY ($3::uuid[]) AND state = 'retry' ORDER BY id FOR UPDATE
)
UPDATE deliveries d SET state = 'cancelled', reason = 'cancelled', ended_at = db_now(), released_until = NULL
FROM waiting w WHERE d.id = w.id AND d.expires_on = $2
RETURNING d.id, d.recipient, d.channel, d.endpoint, d.attempt
"""

_CANCEL_RUNS = """
UPDATE runs SET state = 'cancelled', reason = 'cancelled', ended_at = db_now()
WHERE tenant = $1 AND notification_id = $2 AND recipient = ANY ($3::text[]) AND state = 'waiting'
"""


async def _cancelled(connection: Connection, what: FollowUp, items: Sequence[Item]) -> list[Record]:
    """End what waits; what a sink holds or begins meanwhile ends there."""
    meant = [ids.delivery(what.tenant, what.notification_id, *way) for item in items for way in _ways(item)]
    rows = await connection.fetch(_CANCEL_DELIVERIES, what.tenant, what.expires_on, meant) if meant else ()
    recipients = [item.recipient for item in items]
    await connection.execute(_CANCEL_RUNS, what.tenant, what.notification_id, recipients)
    return [_skipped(what, row) for row in rows]


def _ways(item: Item) -> Iterator[tuple[str, str]]:
    for endpoint in item.push_endpoints:
        yield item.recipient, str(endpoint)
    if item.email_plan is EmailPlan.IMMEDIATE:
        yield item.recipient, ids.EMAIL


def _skipped(what: FollowUp, row: asyncpg.Record) -> Record:
    delivery: UUID = row["id"]
    about = {
        "recipient": row["recipient"], "channel": row["channel"], "endpoint": row["endpoint"],
        "delivery_id": str(delivery), "attempt": row["attempt"], "reason": Reason.CANCELLED,
    }  # fmt: skip
    ended = (what.notification_id, what.at, about, row["recipient"], row["endpoint"])
    return records.event("skipped", what.tenant, *ended)
