"""One transaction of intake: what is asked of the record, what is decided, what is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.dispatcher import handover, pipeline, policy, routing, store_directory, store_rows, store_stored
from services.dispatcher.handover import Window
from services.dispatcher.intake import resolving, store
from services.dispatcher.intake.batches import Accepted, Portion
from services.dispatcher.policy import Plan, Rules
from services.dispatcher.routing import Routed
from services.dispatcher.runs import planning
from services.dispatcher.runs import store as runs
from services.dispatcher.stages import Arrival, Dropped
from services.dispatcher.store_stored import Stored
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a portion: all there is to produce and to count once it is committed.

    `plans` were taken in now, `dropped` too but go no further, `replayed` were taken in before, `conflicts` mean
    something else than their identity does. `routed` are the routes of `plans`, `unclaimed` what is left of
    `replayed`; `windows` are those that opened, and those open for `unclaimed`. `told` are records that a replay could
    not make again.
    """

    now: datetime
    plans: list[Plan]
    dropped: list[Dropped]
    replayed: list[Stored]
    conflicts: list[Accepted]
    routed: list[Routed]
    unclaimed: list[Routed]
    windows: list[Window]
    told: list[Record]


async def taken_in(connection: Connection, portion: Portion, rules: Rules) -> Taken:
    """Take a portion in within the caller's transaction; run again after its commit, it only replays."""
    now = await store_directory.now(connection)
    plans = await _planned(connection, portion, rules, now)
    fresh = await store.take_in(connection, plans)
    conflicting = await _conflicting(connection, [plan for plan in plans if plan.subject.id not in fresh])
    known = {plan.subject.id for plan in plans} - fresh - conflicting
    replayed, unclaimed, open_windows = await _replayed(connection, sorted(known), rules)
    kept, dropped = await _admitted(connection, [plan for plan in plans if plan.subject.id in fresh], now)
    kept, told = await resolving.resolved(connection, kept, rules, now)
    told += [record for plan in kept for record in handover.touched(plan, now)]
    routed, windows = await _written(connection, kept, dropped, now)
    conflicts = [accepted for accepted in portion if accepted.message.notification_id in conflicting]
    return Taken(now, kept, dropped, replayed, conflicts, routed, unclaimed, [*windows, *open_windows], told)


async def _planned(connection: Connection, portion: Portion, rules: Rules, now: datetime) -> list[Plan]:
    messages = [accepted.message for accepted in portion]
    configured = await store_directory.configured(
        connection,
        {(message.tenant, message.class_key) for message in messages},
        {(message.tenant, message.importance) for message in messages},
    )
    return [policy.plan_of(message, configured, rules, now) for message in messages]


async def _conflicting(connection: Connection, repeated: Sequence[Plan]) -> set[UUID]:
    hashes = await store.known_hashes(connection, [plan.subject.id for plan in repeated])
    return {plan.subject.id for plan in repeated if hashes.get(plan.subject.id) != store.payload_hash(plan)}


async def _replayed(
    connection: Connection, known: Sequence[UUID], rules: Rules
) -> tuple[list[Stored], list[Routed], list[Window]]:
    replayed = await store_stored.alive(connection, known, rules.default_window_seconds)
    own = [stored.subject for stored in replayed if not stored.fans_out]
    routed = await store_stored.unclaimed(connection, own)
    return replayed, routed, await store_stored.open_windows(connection, routed)


async def _admitted(connection: Connection, plans: Sequence[Plan], now: datetime) -> tuple[list[Plan], list[Dropped]]:
    schedules = await store.release_schedules(connection, plans)
    kept: list[Plan] = []
    dropped: list[Dropped] = []
    for plan in plans:
        schedule = schedules.get(plan.message.schedule_id) if plan.message.schedule_id is not None else None
        result = pipeline.admitted(Arrival(plan, schedule, now))
        if isinstance(result, Dropped):
            dropped.append(result)
        else:
            kept.append(plan)
    return kept, dropped


async def _written(
    connection: Connection, plans: Sequence[Plan], dropped: Sequence[Dropped], now: datetime
) -> tuple[list[Routed], list[Window]]:
    listed = [plan for plan in plans if not plan.fans_out]
    asked = {(plan.subject.tenant, recipient) for plan in listed for recipient in plan.recipients}
    profiles = await store_directory.profiles(connection, asked)
    routed = [routing.routed(plan.subject, plan.recipients, profiles) for plan in listed]
    expired = [drop.plan for drop in dropped if drop.reason is Reason.EXPIRED]
    await store.insert_notifications(connection, [*plans, *expired], now)
    await store_rows.insert_timeline(connection, _moments(plans, expired, now))
    await store.insert_fanouts(connection, [plan for plan in plans if plan.fans_out], now)
    await runs.insert(connection, [run for plan in plans for run in planning.runs_of(plan, now)])
    return routed, await store_rows.write(connection, routed, now)


def _moments(plans: Sequence[Plan], expired: Sequence[Plan], now: datetime) -> Iterator[store_rows.Moment]:
    for plan in plans:
        if plan.message.schedule_id is not None:
            yield plan.subject, now, "released", {"schedule_id": plan.message.schedule_id}
        if plan.fans_out:
            yield plan.subject, now, "fan_out_began", {"recipients": len(plan.recipients)}
    for plan in expired:
        yield plan.subject, now, "expired", {"reason": Reason.EXPIRED, "expires_at": plan.subject.lifetime.expires_at}
