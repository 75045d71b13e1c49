"""Retention on real Kafka and PostgreSQL: what has expired is gone, told, and nothing else is."""

import signal
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.retention import leadership
from shared.contract import ids, messages, topics
from shared.kafka.consumer import Consumer, open_consumer
from shared.postgres.pool import Pool, open_pool
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import databases, expiring, mailing, service, waiting
from tests.support.mailing import Taken

WITHIN_SECONDS = 40


@pytest.fixture
def settings(database: databases.Database, kafka_settings: KafkaSettings) -> dict[str, str]:
    return {
        "postgres_dsn": database.dsn("retention"),
        "kafka_bootstrap": kafka_settings.kafka_bootstrap,
        "topic_prefix": kafka_settings.topic_prefix,
        "retention_poll_seconds": "0.2",
        "leader_poll_seconds": "0.2",
        "retention_batch": "2",
    }


@pytest_asyncio.fixture
async def events(kafka_settings: KafkaSettings) -> AsyncIterator[Consumer]:
    async with open_consumer(kafka_settings, "test.events", [topics.EVENTS], 1_000) as consumer:
        yield consumer


@pytest_asyncio.fixture(autouse=True)
async def _directory(owner: Pool) -> None:
    await mailing.directory(owner, {"ada": "ada@a.example"})


async def _taken(owner: Pool, days: int) -> tuple[UUID, UUID]:
    """A notification that expires in so many days, with rows in every table; its id and its unfinished delivery's."""
    taken = Taken(expires_in=timedelta(days=days), email_plan="none")
    notification = await mailing.take_in(owner, None, taken)
    return notification, await expiring.leave_behind(owner, notification, taken.expires_on(datetime.now(UTC)))


async def _left(owner: Pool, notifications: set[UUID]) -> None:
    """Wait until these notifications and no other are there, in any table."""

    async def so() -> bool:
        rows = await owner.fetch("SELECT id FROM notifications")
        counts = await expiring.counts(owner)
        expected = {table: len(notifications) for table in expiring.TABLES} | {"deliveries": 2 * len(notifications)}
        return {row["id"] for row in rows} == notifications and counts == expected

    await waiting.until(so, WITHIN_SECONDS, "only what has not expired to be there")


async def _told(consumer: Consumer, count: int) -> list[messages.NotificationEvent]:
    found: list[messages.NotificationEvent] = []

    async def enough() -> bool:
        records = (await consumer.batch(0.1)).records
        found.extend(messages.NotificationEvent.model_validate_json(record.value or b"") for record in records)
        return len({event.id for event in found}) >= count

    await waiting.until(enough, WITHIN_SECONDS, f"{count} events")
    return found


async def test_eight_days_later_what_expired_is_gone_and_nothing_else_and_a_duplicate_is_still_known(
    owner: Pool, events: Consumer, settings: dict[str, str]
) -> None:
    gone = dict([await _taken(owner, 7) for _ in range(5)])
    await owner.execute("SELECT make_partitions_of(current_date + 30)")
    kept = {(await _taken(owner, 8))[0], (await _taken(owner, 30))[0]}
    await mailing.shift_clock(owner, timedelta(days=8))

    async with service.running("retention", settings) as running:
        await _left(owner, kept)
        told = await _told(events, 10)
        assert await running.stop() == 0

    named = {(event.subject, event.type.split(".")[2]) for event in told}
    assert named == {(str(each), name) for each in gone for name in ("expired", "skipped")}
    skips = {event.data["delivery_id"]: event.data["reason"] for event in told if "skipped" in event.type}
    assert skips == {str(delivery): "expired" for delivery in gone.values()}
    known = await owner.fetch("SELECT id, payload_hash, taken_in_at FROM identities WHERE id = ANY ($1)", list(gone))
    assert {row["id"] for row in known} == set(gone)
    assert all(row["payload_hash"] == b"hash" and row["taken_in_at"] for row in known)


async def test_an_identity_goes_a_week_after_its_record(owner: Pool, settings: dict[str, str]) -> None:
    for _ in range(5):
        await _taken(owner, 7)
    kept, _ = await _taken(owner, 8)
    await mailing.shift_clock(owner, timedelta(days=15))

    async with service.running("retention", settings):

        async def one_left() -> bool:
            return [row["id"] for row in await owner.fetch("SELECT id FROM identities")] == [kept]

        await waiting.until(one_left, WITHIN_SECONDS, "the older identities to go")


async def test_partitions_are_made_ahead_of_the_time(owner: Pool, settings: dict[str, str]) -> None:
    await mailing.shift_clock(owner, timedelta(days=5))

    async with service.running("retention", settings):

        async def ahead() -> bool:
            return bool(await owner.fetchval("SELECT partition_days_ahead() >= 40"))

        await waiting.until(ahead, WITHIN_SECONDS, "partitions for 40 days")
    assert await mailing.take_in(owner, None, Taken(expires_in=timedelta(days=40)))


async def _open_action(owner: Pool, remove_after: datetime | None) -> UUID:
    notification = await mailing.take_in(
        owner, None, Taken(requires_action=True, expires_in=None, email_plan="none", is_completed=bool(remove_after))
    )
    await expiring.leave_behind(owner, notification, date.max)
    await owner.execute("UPDATE notifications SET remove_after = $2 WHERE id = $1", notification, remove_after)
    await owner.execute("DELETE FROM digests")
    return notification


async def test_an_action_stays_while_it_is_open_and_until_its_completion_has_aged(
    owner: Pool, events: Consumer, settings: dict[str, str]
) -> None:
    now = datetime.now(UTC)
    gone = {await _open_action(owner, now + timedelta(days=days)) for days in (1, 2, 3)}
    kept = {await _open_action(owner, None), await _open_action(owner, now + timedelta(days=9))}
    await mailing.shift_clock(owner, timedelta(days=8))

    async with service.running("retention", settings):

        async def so() -> bool:
            counts = await expiring.counts(owner)
            return counts == dict.fromkeys(expiring.TABLES, 2) | {"deliveries": 4, "digests": 0}

        await waiting.until(so, WITHIN_SECONDS, "completed actions to go")
        told = await _told(events, 6)

    assert {row["id"] for row in await owner.fetch("SELECT id FROM notifications")} == kept
    assert {(event.subject, event.type.split(".")[2]) for event in told} == {
        (str(each), name) for each in gone for name in ("expired", "skipped")
    }


_PLANS = """
INSERT INTO inbox_items (tenant, recipient, notification_id, expires_on, importance, class_key, hidden, created_at,
  push_endpoints, email_plan, digest_id, email_skipped)
SELECT 'acme', plan.recipient, $1, $2, 'info', 'enquiries', false, db_now(), plan.push::uuid[], plan.email,
  plan.digest::uuid, plan.skipped
FROM (VALUES
  ('bob', ARRAY[$3::uuid, $4::uuid], 'none', NULL, NULL),
  ('cyd', '{}', 'immediate', NULL, NULL),
  ('dan', '{}', 'digest', NULL, NULL),
  ('eve', '{}', 'digest', '00000000-0000-0000-0000-000000000001', NULL),
  ('fay', '{}', 'digest', NULL, 'dismissed')
) AS plan (recipient, push, email, digest, skipped)
"""
_BEGUN = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, attempt,
  accepted_at, created_at)
VALUES ('acme', $1, $2, 'notification', $3, 'bob', $4, 'push', 'routine', 'sent', 1, db_now(), db_now())
"""


async def _plan(owner: Pool, notification: UUID, day: date) -> set[tuple[str, str]]:
    """Items of five more recipients, one of whose deliveries began; recipients and endpoints of those that did not."""
    begun, never_begun = ids.fresh(), ids.fresh()
    await owner.execute(_PLANS, notification, day, begun, never_begun)
    delivery = ids.delivery("acme", notification, "bob", str(begun))
    await owner.execute(_BEGUN, delivery, day, notification, str(begun))
    return {("bob", str(never_begun)), ("cyd", "email"), ("dan", "email")}


@pytest.mark.parametrize("days", [7, None], ids=["a day is over", "an action has aged"])
async def test_what_was_meant_and_never_begun_is_told_as_expired_for_each_recipient_and_endpoint(
    owner: Pool, events: Consumer, settings: dict[str, str], days: int | None
) -> None:
    if days is None:
        notification, day = await _open_action(owner, datetime.now(UTC)), date.max
    else:
        notification, day = (await _taken(owner, days))[0], datetime.now(UTC).date() + timedelta(days=days)
    meant = await _plan(owner, notification, day)
    await mailing.shift_clock(owner, timedelta(days=8))

    async with service.running("retention", settings):
        await _gone(owner)
        told = await _told(events, 5)

    skips = {event.id: event.data for event in told if "skipped" in event.type and event.data["recipient"] != "ada"}
    assert {(data["recipient"], data["endpoint"]) for data in skips.values()} == meant
    assert {data["reason"] for data in skips.values()} == {"expired"}
    derived = {ids.event(notification, "skipped", *way) for way in meant}
    assert set(skips) == derived, "the same event that a sink tells whose claim came too late"


async def _gone(owner: Pool) -> None:
    async def so() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM notifications")

    await waiting.until(so, WITHIN_SECONDS, "the notification to go")


async def test_what_a_cancelled_notification_never_began_is_told_as_cancelled(
    owner: Pool, events: Consumer, settings: dict[str, str]
) -> None:
    notification, _ = await _taken(owner, 7)
    await owner.execute("UPDATE notifications SET cancelled_at = db_now()")
    meant = await _plan(owner, notification, datetime.now(UTC).date() + timedelta(days=7))
    await mailing.shift_clock(owner, timedelta(days=8))

    async with service.running("retention", settings):
        told = await _told(events, 4)

    reasons = {(event.data["recipient"], event.data["endpoint"]): event.data["reason"] for event in told}
    assert {way: reasons[way] for way in meant} == dict.fromkeys(meant, "cancelled")


_LEFTOVERS = """
INSERT INTO bodies (tenant, hash, content, keep_until)
  SELECT 'acme', age::text::bytea, '', db_now() - make_interval(days => age) FROM generate_series(-1, 3) AS age;
INSERT INTO fanouts (notification_id, tenant, lane, expires_on, recipients, expected, created_at, turned_at, ended_at)
  SELECT gen_random_uuid(), 'acme', 'bulk', current_date + 7, '{}', 0, db_now(), db_now(),
    db_now() - make_interval(days => age) FROM generate_series(0, 3) AS age;
INSERT INTO fanouts (notification_id, tenant, lane, expires_on, recipients, expected, created_at, turned_at)
  SELECT gen_random_uuid(), 'acme', 'bulk', day, '{}', 0, db_now(), db_now()
  FROM unnest(ARRAY['infinity', current_date, current_date - 1, current_date - 2]::date[]) AS day;
INSERT INTO windows (tenant, recipient, class_key, id, opened_at, due_at)
  SELECT 'acme', age::text, 'c', gen_random_uuid(), db_now(), db_now() - make_interval(days => age)
  FROM generate_series(6, 11) AS age;
INSERT INTO schedules (id, tenant, notification_id, due_at, local, timezone, state, notification, remove_after)
  SELECT number, 'acme', gen_random_uuid(), db_now(), db_now()::timestamp, 'UTC',
    CASE WHEN number = 1 THEN 'pending' ELSE 'released' END, '{}', db_now() + make_interval(days => number - 4)
  FROM generate_series(1, 5) AS number;
"""


async def test_rows_without_a_day_are_swept_when_they_are_old(owner: Pool, settings: dict[str, str]) -> None:
    await owner.execute(_LEFTOVERS)

    async with service.running("retention", settings):

        async def swept() -> bool:
            counts = {
                table: await owner.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - names from here
                for table in ("bodies", "fanouts", "windows", "schedules")
            }
            return counts == {"bodies": 1, "fanouts": 4, "windows": 2, "schedules": 2}

        await waiting.until(swept, WITHIN_SECONDS, "old rows to be swept")
    assert [row["id"] for row in await owner.fetch("SELECT id FROM schedules ORDER BY id")] == [1, 5]


async def test_one_replica_leads_and_another_takes_over_when_it_is_killed(
    owner: Pool, settings: dict[str, str]
) -> None:
    async with service.running("retention", settings) as first:
        await _leads(owner, 1)
        async with service.running("retention", settings) as second:
            await second.until("/readyz", 200)
            await _leads(owner, 1)
            first.process.send_signal(signal.SIGKILL)
            await _taken(owner, 7)
            await mailing.shift_clock(owner, timedelta(days=8))
            await _left(owner, set())
            assert await second.stop() == 0


async def test_who_fails_while_it_leads_leads_no_longer(database: databases.Database) -> None:
    told = PostgresSettings(postgres_dsn=SecretStr(database.dsn("retention")))
    async with open_pool(told, "first") as first, open_pool(told, "second") as second:
        with pytest.raises(ValueError, match="failed"):
            await _failing(first)
        async with leadership.sought(second) as leading:
            assert leading is not None


async def _failing(pool: Pool) -> None:
    async with leadership.sought(pool) as leading:
        assert leading is not None
        raise ValueError("failed")


async def _leads(owner: Pool, count: int) -> None:
    async def held() -> bool:
        found: int = await owner.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        return found == count

    await waiting.until(held, WITHIN_SECONDS, "one replica to lead")


async def test_killed_before_the_drop_it_repeats_the_same_events_and_drops(
    owner: Pool, events: Consumer, settings: dict[str, str]
) -> None:
    gone = {(await _taken(owner, 7))[0] for _ in range(3)}
    await mailing.shift_clock(owner, timedelta(days=8))

    async with service.running("retention", settings | {"failpoints": "retention.before_drop=kill"}) as running:
        assert await _ended(running) == -signal.SIGKILL
    async with service.running("retention", settings):
        await _left(owner, set())
        told = await _told(events, 6)

    assert {event.subject for event in told if "expired" in event.type} == {str(each) for each in gone}
    assert len({event.id for event in told}) == 6


async def _ended(running: service.Service) -> int:
    async def code() -> tuple[int] | None:
        found = running.process.poll()
        return None if found is None else (found,)

    return (await waiting.until(code, WITHIN_SECONDS, "the service to end"))[0]


async def test_a_reader_who_holds_a_table_is_waited_for_while_the_rest_goes_on(
    owner: Pool, settings: dict[str, str]
) -> None:
    await _taken(owner, 7)
    removed = await _open_action(owner, datetime.now(UTC))
    await mailing.shift_clock(owner, timedelta(days=8))

    async with owner.acquire() as reader, reader.transaction():
        await reader.execute("LOCK TABLE notifications IN ACCESS SHARE MODE")
        async with service.running("retention", settings) as running:

            async def undated_gone() -> bool:
                return not await owner.fetchval("SELECT count(*) FROM notifications WHERE id = $1", removed)

            await waiting.until(undated_gone, WITHIN_SECONDS, "the completed action to go")
            assert await owner.fetchval("SELECT count(*) FROM notifications") == 1
            assert await running.status("/readyz") == 200
            await reader.execute("COMMIT; BEGIN")
            await _left(owner, set())


async def test_how_far_behind_it_is_can_be_seen(owner: Pool, settings: dict[str, str]) -> None:
    await _taken(owner, 7)
    await mailing.shift_clock(owner, timedelta(days=9))

    async with owner.acquire() as reader, reader.transaction():
        await reader.execute("LOCK TABLE notifications IN ACCESS SHARE MODE")
        async with service.running("retention", settings) as running:
            await running.until("/readyz", 200)

            async def behind() -> bool:
                return await _metric(running, "tocsin_retention_behind_seconds") >= 86_400

            await waiting.until(behind, WITHIN_SECONDS, "retention to be a day behind")
            assert await _metric(running, "tocsin_retention_leading") in {0, 1}


async def _metric(running: service.Service, name: str) -> float:
    lines = (await running.text("/metrics")).splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), -1.0)


@pytest.mark.parametrize(
    "call", ["drop_partition('notifications', current_date)", "drop_partition('users', '2020-01-01')"]
)
async def test_what_has_not_expired_cannot_be_dropped(owner: Pool, call: str) -> None:
    with pytest.raises(Exception, match="has not expired"):
        await owner.execute(f"SELECT {call}")
