"""Audiences of notifications just taken in: small ones become recipients at once, others are left to fan-out."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from services.dispatcher import policy, store_rows
from services.dispatcher.policy import Plan, Rules
from shared.contract import records
from shared.contract.messages import Audience
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres import audiences
from shared.postgres.audiences import Position
from shared.postgres.pool import Connection

_MOST_STEPS = 8
"""An audience of very many nearly empty groups is fan-out's too, however few it reaches."""

_MOST_IDS_TOLD = 100


async def resolved(
    connection: Connection, plans: Sequence[Plan], rules: Rules, now: datetime
) -> tuple[list[Plan], list[Record]]:
    """The plans with their audiences looked at, within the transaction that takes them in; others as they are.

    What an audience names and the directory does not know, and that it reaches nobody, is told in the trace and as the
    events returned; neither is an error.
    """
    found = [await _resolved(connection, plan, rules, now) for plan in plans]
    return [plan for plan, _ in found], [record for _, told in found for record in told]


async def _resolved(connection: Connection, plan: Plan, rules: Rules, now: datetime) -> tuple[Plan, list[Record]]:
    tenant, audience = plan.subject.tenant, plan.message.audience
    if plan.audience is None or audience is None:
        return plan, []
    members, complete = await _members(connection, tenant, audience, rules.fanout_threshold + 1)
    unknown = await audiences.unknown(connection, tenant, audience)
    found = policy.with_audience(plan, members, rules, complete=complete)
    moments = list(_moments(found, unknown, now, reaches_nobody=complete and not members))
    await store_rows.insert_timeline(connection, moments)
    return found, [_told(moment) for moment in moments]


async def _members(connection: Connection, tenant: str, audience: Audience, most: int) -> tuple[list[str], bool]:
    """At most about `most` members, and whether these are all."""
    found: dict[str, None] = {}
    position = Position()
    for _ in range(_MOST_STEPS):
        step = await audiences.step(connection, tenant, audience, position, most)
        found |= dict.fromkeys(step.members)
        if step.ended:
            return list(found), True
        if len(found) >= most:
            break
        position = step.position
    return list(found), False


def _moments(plan: Plan, unknown: Sequence[str], now: datetime, *, reaches_nobody: bool) -> Iterator[store_rows.Moment]:
    audience = plan.message.audience
    if audience is None:
        return
    named = audience.model_dump(mode="json", include={"kind", "company", "parent"}, exclude_none=True)
    if unknown:
        detail = {**named, "ids": list(unknown[:_MOST_IDS_TOLD]), "unknown": len(unknown)}
        yield plan.subject, now, Reason.UNKNOWN_AUDIENCE, detail
    if reaches_nobody:
        yield plan.subject, now, Reason.EMPTY_AUDIENCE, named


def _told(moment: store_rows.Moment) -> Record:
    subject, at, reason, detail = moment
    return records.event("skipped", subject.tenant, subject.id, at, {"reason": reason, **detail}, reason)
