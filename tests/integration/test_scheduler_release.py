"""What is due is released at once and once; what was released and not taken, only once its consumers have read on."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.scheduler.consumption import Consumption
from services.scheduler.release import Release
from services.scheduler.store import retries
from shared.contract import codec, messages, records, topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.contract.records import Record
from tests.support import rows, scheduling
from tests.support.scheduling import PUSH_URGENT, House, Stage, later, plan

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(postgres_server: str, kafka_bootstrap: str) -> AsyncIterator[House]:
    async with scheduling.opened(postgres_server, kafka_bootstrap) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def stage(house: House) -> Stage:
    return await scheduling.staged(house)


RUN_OUT_SCHEDULES = "UPDATE schedules SET released_until = now() - interval '1 second'"
RUN_OUT_RETRIES = "UPDATE deliveries SET released_until = now() - interval '1 second'"
HELD_BACK = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state,
  attempt, due_at, released_until, accepted_at, created_at)
SELECT tenant, gen_random_uuid(), expires_on, subject, subject_id, recipient, endpoint, channel, lane, state,
  attempt, due_at - interval '1 hour', now() - interval '1 minute', accepted_at, created_at
FROM deliveries, generate_series(1, 3000)
"""


async def test_a_due_schedule_is_produced_once_until_intake_has_passed_it_over(stage: Stage) -> None:
    scheduled = later(timedelta(seconds=-1))
    await plan(stage, records.scheduled(scheduled), records.scheduled(later(timedelta(hours=1), schedule_id=8)))
    release = stage.release()
    for _ in range(3):
        assert not await release.schedules()
    accepted = [
        codec.decoded(value, messages.NotificationAccepted)
        for value in await stage.produced(topics.accepted(Lane.URGENT))
    ]
    assert [(one.notification_id, one.schedule_id) for one in accepted] == [(scheduled.notification.notification_id, 7)]
    assert accepted[0].accepted_at == scheduled.notification.accepted_at

    for _ in range(3):
        await stage.owner.execute(f"{RUN_OUT_SCHEDULES} WHERE id = 7")
        await release.repeated_schedules()
    assert len(await stage.produced(topics.accepted(Lane.URGENT))) == 1, "intake is away: it waits in Kafka"

    await stage.consumed("dispatcher.intake.urgent", topics.accepted(Lane.URGENT))
    await release.repeated_schedules()
    assert len(await stage.produced(topics.accepted(Lane.URGENT))) == 2, "intake has read on and not taken it in"
    lateness = stage.registry.get_sample_value("tocsin_release_lateness_seconds_count", {"kind": "schedule"})
    assert lateness == 1, "a repeat says nothing about lateness"


async def test_a_cancelled_schedule_is_not_produced(stage: Stage) -> None:
    await plan(stage, records.scheduled(later(timedelta(seconds=-1))))
    await stage.owner.execute("UPDATE schedules SET state = 'cancelled'")
    await stage.release().schedules()
    assert await stage.produced(topics.accepted(Lane.URGENT)) == []


async def test_a_due_retry_is_produced_with_its_attempt_and_only_once(stage: Stage) -> None:
    notification = await rows.notification(stage.owner)
    due = await rows.delivery(stage.owner, notification, attempt=3)
    await rows.delivery(stage.owner, notification, due_at=datetime.now(UTC) + timedelta(hours=1))
    await rows.delivery(stage.owner, notification, due_at=datetime.max.replace(tzinfo=UTC))
    await rows.delivery(stage.owner, notification, state="sent")
    release = stage.release()
    for _ in range(3):
        await release.retries()
    [value] = await stage.produced(PUSH_URGENT)
    request = codec.decoded(value, messages.DeliveryRequested)
    assert (request.id, request.attempt, request.expires_on) == (due["id"], 3, due["expires_on"])
    assert (request.recipient, request.endpoint, request.lane) == ("ada", due["endpoint"], Lane.URGENT)


async def test_what_was_released_is_not_repeated_while_its_sinks_are_away_and_promptly_once_they_are_back(
    stage: Stage,
) -> None:
    notification = await rows.notification(stage.owner)
    await stage.all_claimed()
    lost = await rows.delivery(stage.owner, notification)
    release = stage.release()
    await release.retries()
    for _ in range(5):
        await stage.owner.execute(RUN_OUT_RETRIES)
        assert not await release.repeated_retries()
    assert len(await stage.produced(PUSH_URGENT)) == 1, "it waits in Kafka"

    fresh = await rows.delivery(stage.owner, notification)
    await release.retries()
    assert len(await stage.produced(PUSH_URGENT)) == 2, "what is due for the first time waits for nobody"

    await stage.owner.execute(f"{RUN_OUT_RETRIES} WHERE id = $1", lost["id"])
    await stage.all_claimed()
    await release.repeated_retries()
    produced = [codec.decoded(value, messages.DeliveryRequested).id for value in await stage.produced(PUSH_URGENT)]
    assert sorted(produced) == sorted([lost["id"], lost["id"], fresh["id"]])


async def test_a_lag_that_never_ends_does_not_keep_what_was_lost_from_being_repeated(stage: Stage) -> None:
    await rows.delivery(stage.owner, await rows.notification(stage.owner))
    release = stage.release()
    await release.retries()
    await stage.owner.execute(RUN_OUT_RETRIES)
    ends = None
    for round_number in range(3):
        await stage.producer.send(Record(PUSH_URGENT, b"k", b"another %d" % round_number))
        ends = await stage.consumed("dispatcher.push.urgent", PUSH_URGENT, ends or stage.begun_of(PUSH_URGENT))
        await release.repeated_retries()
    assert len([value for value in await stage.produced(PUSH_URGENT) if not value.startswith(b"another")]) == 2


async def test_the_lag_of_one_lane_holds_back_no_other(stage: Stage) -> None:
    await stage.all_claimed()
    urgent = await rows.notification(stage.owner)
    routine = await rows.notification(stage.owner, lane="routine")
    held, lost = [await rows.delivery(stage.owner, of) for of in (urgent, routine)]
    release = stage.release()
    await release.retries()
    routine_topic = topics.deliveries(Channel.PUSH, Lane.ROUTINE)
    await stage.consumed("dispatcher.push.routine", routine_topic)
    await stage.owner.execute(RUN_OUT_RETRIES)
    await release.repeated_retries()
    assert len(await stage.produced(routine_topic)) == 2
    assert len(await stage.produced(PUSH_URGENT)) == 1
    left = await stage.owner.fetch("SELECT id FROM deliveries WHERE released_until <= now()")
    assert ([row["id"] for row in left], lost["lane"]) == ([held["id"]], "routine")


async def test_a_million_due_in_one_lane_keeps_no_other_lane_waiting(stage: Stage) -> None:
    routine = await rows.notification(stage.owner, lane="routine")
    await rows.delivery(stage.owner, routine)
    await stage.owner.execute(HELD_BACK)
    await stage.owner.execute("UPDATE deliveries SET released_until = NULL, reason = 'quiet_hours'")
    await stage.owner.execute("ANALYZE deliveries")
    await rows.delivery(stage.owner, await rows.notification(stage.owner))
    few = stage.settings.model_copy(update={"release_batch": 10})
    release = Release(stage.pool, stage.producer, Consumption(stage.lag), stage.metrics, few)
    assert await release.retries(), "one lane has more"
    assert len(await stage.produced(PUSH_URGENT)) == 1
    assert len(await stage.produced(topics.deliveries(Channel.PUSH, Lane.ROUTINE))) == 10
    assert await examined(stage) == 0


async def test_what_is_held_back_costs_what_is_due_for_the_first_time_nothing(stage: Stage) -> None:
    notification = await rows.notification(stage.owner)
    await rows.delivery(stage.owner, notification)
    await stage.owner.execute(HELD_BACK)
    await stage.owner.execute("ANALYZE deliveries")
    assert await examined(stage) == 0


async def examined(stage: Stage) -> int:
    """Rows that the search for what is due reads and throws away."""
    statement = retries._DUE.replace("$1", "500")  # noqa: SLF001 - the statement itself
    [explained] = await stage.owner.fetch("EXPLAIN (ANALYZE, FORMAT JSON)" + statement)
    return passed_over(json.loads(explained[0])[0]["Plan"])


def passed_over(plan: dict[str, Any]) -> int:
    """Rows that a plan read and threw away."""
    own: int = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return own + sum(passed_over(below) for below in plan.get("Plans", ()))


async def test_what_the_digest_has_just_produced_is_left_alone_for_its_release(stage: Stage) -> None:
    now = datetime.now(UTC) - timedelta(seconds=1)
    until = now + timedelta(seconds=stage.settings.release_seconds)
    await rows.delivery(stage.owner, await rows.notification(stage.owner), due_at=now, released_until=until)
    await stage.release().retries()
    assert await stage.produced(PUSH_URGENT) == []


async def test_two_replicas_release_every_retry_exactly_once(stage: Stage) -> None:
    notification = await rows.notification(stage.owner)
    wanted = {(await rows.delivery(stage.owner, notification))["id"] for _ in range(60)}
    few = stage.settings.model_copy(update={"release_batch": 7})
    replicas = [Release(stage.pool, stage.producer, Consumption(stage.lag), stage.metrics, few) for _ in range(2)]

    async def drain(release: Release) -> None:
        while await release.retries():
            pass

    await asyncio.gather(*map(drain, replicas))
    await asyncio.gather(*map(drain, replicas))
    produced = [codec.decoded(value, messages.DeliveryRequested).id for value in await stage.produced(PUSH_URGENT)]
    assert sorted(produced) == sorted(wanted)
