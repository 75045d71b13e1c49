"""The scheduler on real Kafka and PostgreSQL: schedules, leases, the outbox, what nobody claimed."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.scheduler.consumption import Consumption
from services.scheduler.drain import Drain
from services.scheduler.pending import Pending
from services.scheduler.unclaimed import Unclaimed
from shared.contract import codec, ids, messages, records, topics
from shared.contract.records import Record
from shared.errors import TransientError
from shared.postgres import outbox
from shared.postgres.pool import transaction
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


async def test_a_scheduled_notification_becomes_one_row_and_one_event(stage: Stage) -> None:
    scheduled = later(timedelta(hours=1))
    await plan(stage, records.scheduled(scheduled))
    [row] = await stage.owner.fetch("SELECT * FROM schedules")
    assert (row["id"], row["state"], row["timezone"]) == (7, "pending", "Australia/Sydney")
    assert row["notification"]["schedule_id"] == 7
    midnight = scheduled.due_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert row["remove_after"] == midnight + timedelta(days=7 + 7 + 1)
    assert await stage.owner.fetchval("SELECT count(*) FROM positions WHERE consumer_group = 'scheduler'") > 0
    events = {messages.NotificationEvent.model_validate_json(event).id for event in await stage.produced(topics.EVENTS)}
    assert len(events) == 1


async def test_a_schedule_is_kept_by_the_retention_its_tenant_chose(stage: Stage) -> None:
    await rows.insert(
        stage.owner,
        "importances",
        {"tenant": rows.TENANT, "name": "danger", "retention": 30, "css_class": "", "sort": 1, "send": True},
    )
    scheduled = later(timedelta(hours=1))
    await plan(stage, records.scheduled(scheduled))
    assert await stage.owner.fetchval("SELECT remove_after FROM schedules") == scheduled.due_at + timedelta(days=37)


async def test_a_schedule_is_kept_no_shorter_than_the_door_remembers_its_key(stage: Stage) -> None:
    scheduled = later(timedelta(hours=1))
    await plan(stage, records.scheduled(scheduled))
    remembered_until = scheduled.due_at.date() + timedelta(days=14)
    assert (await stage.owner.fetchval("SELECT remove_after FROM schedules")).date() > remembered_until


async def test_what_is_no_schedule_becomes_a_dead_letter_and_holds_nothing_up(stage: Stage) -> None:
    poison = Record(topics.SCHEDULED, b"k", b"{")
    impossible = later(timedelta(0), timezone="Etc/\x00UTC", schedule_id=8)
    await plan(stage, poison, records.scheduled(impossible), records.scheduled(later(timedelta(hours=1))))
    assert await stage.owner.fetchval("SELECT count(*) FROM schedules") == 1
    letters = await stage.owner.fetch("SELECT tenant, reason, original FROM dead_letters ORDER BY reason")
    assert [(row["tenant"], row["reason"]) for row in letters] == [(rows.TENANT, "invalid"), ("", "undecodable")]
    assert letters[1]["original"] == b"{"
    assert set(await stage.produced(topics.DEAD_LETTERS)) >= {b"{", impossible.encoded()}


def leased(**values: Any) -> dict[str, Any]:
    past = datetime.now(UTC) - timedelta(seconds=1)
    return {"state": "leased", "lease_until": past, "lease_owner": "a", "attempt": 1, "due_at": None, **values}


async def test_a_lease_that_ran_out_is_an_ambiguous_attempt_and_another_one(stage: Stage) -> None:
    lost = await rows.delivery(stage.owner, await rows.notification(stage.owner), **leased(fence=4))
    held = await rows.delivery(
        stage.owner,
        await rows.notification(stage.owner),
        **leased(lease_until=datetime.now(UTC) + timedelta(minutes=1)),
    )
    await stage.leases().sweep()
    [attempt] = await stage.owner.fetch("SELECT * FROM attempts")
    assert (attempt["delivery_id"], attempt["attempt"], attempt["outcome"]) == (lost["id"], 1, "ambiguous")
    row = await rows.one(stage.owner, "SELECT * FROM deliveries WHERE id = $1", lost["id"])
    assert (row["state"], row["attempt"], row["reason"], row["lease_owner"]) == ("retry", 2, "lease_ran_out", None)
    assert row["fence"] > 4, "the slow sink's outcome must be refused"
    assert await stage.owner.fetchval("SELECT state FROM deliveries WHERE id = $1", held["id"]) == "leased"
    await stage.release().retries()
    [value] = await stage.produced(PUSH_URGENT)
    assert codec.decoded(value, messages.DeliveryRequested).attempt == 2


async def test_a_run_out_lease_ends_as_dead_when_its_notification_holds_what_is_ambiguous(stage: Stage) -> None:
    notification = await rows.notification(stage.owner, options={"on_ambiguous": "hold"})
    lost = await rows.delivery(stage.owner, notification, **leased())
    await stage.leases().sweep()
    assert await ended(stage, lost) == ("dead", "ambiguous")


@pytest.mark.parametrize(("last_says", "state"), [("hold", "dead"), ("retry", "retry")])
async def test_a_digests_run_out_lease_is_held_when_one_of_its_members_asks_for_it(
    stage: Stage, last_says: str, state: str
) -> None:
    digest = {"tenant": rows.TENANT, "id": uuid.uuid4(), "expires_on": datetime.now(UTC).date(), "lane": "routine"}
    for says in ("retry", last_says):
        member = await rows.notification(stage.owner, options={"on_ambiguous": says})
        await rows.item(stage.owner, member, email_plan="digest", digest_id=digest["id"])
    mail = {"subject": "digest", "channel": "email", "endpoint": "email"}
    lost = await rows.delivery(stage.owner, digest, **leased(), **mail)
    await stage.leases().sweep()
    assert await stage.owner.fetchval("SELECT state FROM deliveries WHERE id = $1", lost["id"]) == state


async def test_a_run_out_lease_of_the_last_attempt_ends_as_dead(stage: Stage) -> None:
    lost = await rows.delivery(stage.owner, await rows.notification(stage.owner), **leased(attempt=3))
    await stage.leases(max_attempts=3).sweep()
    assert await ended(stage, lost) == ("dead", "attempts_exhausted")


async def test_a_digest_given_up_is_told_for_each_notification_in_it(stage: Stage) -> None:
    digest = {"tenant": rows.TENANT, "id": uuid.uuid4(), "expires_on": datetime.now(UTC).date(), "lane": "routine"}
    members = [await rows.notification(stage.owner) for _ in range(2)]
    for member in members:
        await rows.item(stage.owner, member, email_plan="digest", digest_id=digest["id"])
    mail = {"subject": "digest", "channel": "email", "endpoint": "email"}
    await rows.delivery(stage.owner, digest, **leased(attempt=3), **mail)
    await stage.leases(max_attempts=3).sweep()
    [stored] = await stage.owner.fetch("SELECT records FROM outbox")
    events = [
        messages.NotificationEvent.model_validate_json(record.value or b"")
        for record in outbox.records_of(stored["records"])
        if record.topic == topics.EVENTS
    ]
    assert {event.subject for event in events} == {str(member["id"]) for member in members}
    assert {event.data["digest_id"] for event in events} == {str(digest["id"])}


async def ended(stage: Stage, delivery: dict[str, Any]) -> tuple[str, str]:
    """State and reason of a delivery given up: it must have its dead letter, and events on the way."""
    row = await rows.one(stage.owner, "SELECT * FROM deliveries WHERE id = $1", delivery["id"])
    assert row["ended_at"] is not None
    letter = await rows.one(stage.owner, "SELECT * FROM dead_letters WHERE delivery_id = $1", delivery["id"])
    assert (letter["reason"], letter["expires_on"]) == (row["reason"], delivery["expires_on"])
    [stored] = await stage.owner.fetch("SELECT records FROM outbox")
    assert {record.topic for record in outbox.records_of(stored["records"])} == {topics.DEAD_LETTERS, topics.EVENTS}
    return row["state"], row["reason"]


async def test_no_lease_is_ended_within_one_lease_of_the_schedulers_own_start(stage: Stage) -> None:
    lost = await rows.delivery(stage.owner, await rows.notification(stage.owner), **leased())
    await stage.leases(lease_seconds=60.0).sweep()
    assert await stage.owner.fetchval("SELECT state FROM deliveries WHERE id = $1", lost["id"]) == "leased"


async def test_an_old_row_of_the_outbox_is_produced_and_deleted_and_a_young_one_is_left(stage: Stage) -> None:
    async with transaction(stage.pool) as connection:
        old = await outbox.add(connection, [Record(topics.EVENTS, b"a", b"1"), Record(topics.EVENTS, b"b", b"2")])
        young = await outbox.add(connection, [Record(topics.EVENTS, b"c", b"3")])
    await stage.owner.execute("UPDATE outbox SET created_at = now() - interval '11 seconds' WHERE id = $1", old)
    drain = Drain(stage.pool, stage.producer, stage.metrics, stage.settings)
    assert await drain.sweep()
    assert not await drain.sweep()
    assert sorted(await stage.produced(topics.EVENTS)) == [b"1", b"2"]
    assert [row["id"] for row in await stage.owner.fetch("SELECT id FROM outbox")] == [young]


async def test_a_record_kafka_will_never_take_is_buried_and_the_rest_is_produced(stage: Stage) -> None:
    async with transaction(stage.pool) as connection:
        await outbox.add(connection, [Record(topics.EVENTS, b"a", b"x" * 9_000_000), Record(topics.EVENTS, b"b", b"2")])
    await stage.owner.execute("UPDATE outbox SET created_at = now() - interval '11 seconds'")
    await Drain(stage.pool, stage.producer, stage.metrics, stage.settings).sweep()
    assert set(await stage.produced(topics.EVENTS)) == {b"2"}
    assert await stage.owner.fetchval("SELECT reason FROM dead_letters") == "too_large"
    assert await stage.owner.fetchval("SELECT count(*) FROM outbox") == 0


async def test_what_was_acknowledged_of_a_large_row_is_not_produced_again_when_the_rest_fails(stage: Stage) -> None:
    events = [Record(topics.EVENTS, b"%d" % number, b"%d" % number) for number in range(501)]
    async with transaction(stage.pool) as connection:
        row = await outbox.add(connection, [*events, Record("no.such.topic", b"a", b"1")])
    await stage.owner.execute("UPDATE outbox SET created_at = now() - interval '11 seconds'")
    with pytest.raises(TransientError):
        await Drain(stage.pool, stage.producer, stage.metrics, stage.settings).sweep()
    [left] = await stage.owner.fetch("SELECT id, records FROM outbox")
    assert left["id"] == row
    assert [record.topic for record in outbox.records_of(left["records"])] == [topics.EVENTS, "no.such.topic"]


async def look_through(stage: Stage) -> None:
    unclaimed = Unclaimed(stage.pool, stage.producer, Consumption(stage.lag), stage.metrics, stage.settings)
    while await unclaimed.sweep():
        pass


async def planned(stage: Stage, made: timedelta, **values: Any) -> tuple[dict[str, Any], uuid.UUID]:
    """An item planned to go to one webhook and by immediate email, and the id of its webhook's delivery."""
    endpoint = uuid.uuid4()
    then = datetime.now(UTC) - made
    notification = await rows.notification(stage.owner, created_at=then, accepted_at=then, **values)
    await rows.item(stage.owner, notification, push_endpoints=[endpoint], email_plan="immediate")
    return notification, ids.delivery(rows.TENANT, notification["id"], "ada", ids.EndpointKey(str(endpoint)))


async def test_what_was_planned_and_never_claimed_is_produced_again_once(stage: Stage) -> None:
    notification, push = await planned(stage, timedelta(minutes=2))
    email = ids.delivery(rows.TENANT, notification["id"], "ada", ids.EMAIL)
    await rows.delivery(stage.owner, notification, id=email, endpoint="email", channel="email", state="sent")
    young, _ = await planned(stage, timedelta(seconds=5))
    await stage.all_claimed()
    await look_through(stage)
    await look_through(stage)
    [value] = await stage.produced(PUSH_URGENT)
    request = codec.decoded(value, messages.DeliveryRequested)
    assert (request.id, request.attempt, request.subject_id) == (push, 1, notification["id"])
    assert request.subject_id != young["id"]
    assert stage.registry.get_sample_value("tocsin_released_total", {"kind": "unclaimed"}) == 1


async def test_items_are_looked_at_only_once_their_lane_has_consumed_what_it_was_handed(stage: Stage) -> None:
    _, push = await planned(stage, timedelta(minutes=2))
    await stage.all_claimed()
    await stage.producer.send(Record(PUSH_URGENT, b"k", b"still waiting"))
    await look_through(stage)
    assert await stage.produced(PUSH_URGENT) == [b"still waiting"]

    await stage.all_claimed()
    await look_through(stage)
    produced = [value for value in await stage.produced(PUSH_URGENT) if value != b"still waiting"]
    assert [codec.decoded(value, messages.DeliveryRequested).id for value in produced] == [push]


async def test_the_oldest_delivery_under_way_is_a_gauge_by_lane_and_channel(stage: Stage) -> None:
    then = datetime.now(UTC) - timedelta(minutes=5)
    notification = await rows.notification(stage.owner)
    await rows.delivery(stage.owner, notification, accepted_at=then)
    await rows.delivery(stage.owner, notification, accepted_at=then - timedelta(hours=1), state="sent")
    await Pending(stage.pool, stage.metrics).measure()
    labels = {"lane": "urgent", "channel": "push"}
    age = stage.registry.get_sample_value("tocsin_oldest_pending_seconds", labels)
    assert age is not None
    assert 300 <= age < 360
    assert stage.registry.get_sample_value("tocsin_oldest_pending_seconds", {**labels, "channel": "email"}) == 0


async def test_what_quiet_hours_hold_is_pending_from_their_end(stage: Stage) -> None:
    now = datetime.now(UTC)
    notification = await rows.notification(stage.owner, lane="routine")
    for channel, due_at in (("push", now + timedelta(hours=1)), ("email", now - timedelta(minutes=1))):
        held = {"channel": channel, "reason": "quiet_hours", "due_at": due_at}
        await rows.delivery(stage.owner, notification, **held, accepted_at=now - timedelta(hours=8))
    await Pending(stage.pool, stage.metrics).measure()
    ages = {
        channel: stage.registry.get_sample_value(
            "tocsin_oldest_pending_seconds", {"lane": "routine", "channel": channel}
        )
        for channel in ("push", "email")
    }
    assert ages["push"] == 0
    assert 60 <= (ages["email"] or 0) < 120
