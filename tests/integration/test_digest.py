"""The digest service on real Kafka and PostgreSQL: one mail for each recipient, class and window, whatever happens."""

import asyncio
import os
import pathlib
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient

from shared.contract import codec, ids, messages, topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.contract.records import Record
from shared.kafka.consumer import Consumer, open_consumer
from shared.kafka.producer import Producer
from shared.postgres.pool import Pool
from shared.runtime.settings import KafkaSettings
from tests.support import databases, mailing, service, waiting
from tests.support.mailing import TENANT, Taken

WITHIN_SECONDS = 40
MAILS = topics.deliveries(Channel.EMAIL, Lane.ROUTINE)


@pytest.fixture
def settings(database: databases.Database, kafka_settings: KafkaSettings) -> dict[str, str]:
    return {
        "postgres_dsn": database.dsn("digest"),
        "kafka_bootstrap": kafka_settings.kafka_bootstrap,
        "topic_prefix": kafka_settings.topic_prefix,
        "default_window_seconds": "2",
        "overdue_seconds": "60",
        "overdue_poll_seconds": "0.2",
        "stray_poll_seconds": "60",
    }


@pytest_asyncio.fixture
async def mails(kafka_settings: KafkaSettings) -> AsyncIterator[Consumer]:
    """A reader of the topic that digests' deliveries go to."""
    async with open_consumer(kafka_settings, "test", [MAILS], 1_000) as consumer:
        yield consumer


@pytest_asyncio.fixture(autouse=True)
async def _directory(owner: Pool) -> None:
    await mailing.directory(owner, {"ada": "ada@a.example", "grace": "grace@a.example", "nobody": None})
    await mailing.directory(owner, {"robot": "robot@a.example"}, kind="system")


async def _digests(owner: Pool, count: int, within_seconds: float = WITHIN_SECONDS) -> list[Any]:
    async def found() -> list[Any] | None:
        rows = await owner.fetch("SELECT * FROM digests ORDER BY flushed_at, recipient")
        return rows if len(rows) >= count else None

    rows = await waiting.until(found, within_seconds, f"{count} digests")
    assert len(rows) == count
    return rows


async def _closed(owner: Pool, within_seconds: float = WITHIN_SECONDS) -> None:
    """Wait until no window is open."""

    async def none_left() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM windows")

    await waiting.until(none_left, within_seconds, "every window to close")


async def _requested(consumer: Consumer, count: int) -> list[messages.DeliveryRequested]:
    found: list[messages.DeliveryRequested] = []

    async def enough() -> bool:
        batch = await consumer.batch(0.1)
        found.extend(codec.decoded(record.value, messages.DeliveryRequested) for record in batch.records)
        return len(found) >= count

    await waiting.until(enough, WITHIN_SECONDS, f"{count} deliveries on {MAILS}")
    return found


async def test_a_window_becomes_one_mail_delivery_with_all_its_members(
    owner: Pool, producer: Producer, mails: Consumer, settings: dict[str, str]
) -> None:
    async with service.running("digest", settings) as running:
        await running.until("/readyz", 200)
        members = {await mailing.take_in(owner, producer, Taken()) for _ in range(3)}
        [digest] = await _digests(owner, 1)
        [request] = await _requested(mails, 1)
        assert await running.stop() == 0

    assert (digest["recipient"], digest["class_key"], digest["member_count"]) == ("ada", "enquiries", 3)
    assert 0 <= (digest["flushed_at"] - digest["due_at"]).total_seconds() < 5
    assert digest["expires_on"] == (digest["flushed_at"] + timedelta(days=7)).date()
    sent = await owner.fetch("SELECT notification_id FROM inbox_items WHERE digest_id = $1", digest["id"])
    assert {row["notification_id"] for row in sent} == members
    [row] = await owner.fetch("SELECT * FROM deliveries")
    assert (row["id"], row["subject"], row["subject_id"]) == (request.id, "digest", digest["id"])
    assert (row["state"], row["attempt"], row["channel"], row["lane"]) == ("retry", 1, "email", "routine")
    assert row["released_until"] - row["due_at"] == timedelta(seconds=10)
    assert request.id == ids.delivery(TENANT, digest["id"], "ada", "email")
    assert (request.subject, request.subject_id, request.attempt) == ("digest", digest["id"], 1)
    assert request.expires_on == row["expires_on"] == digest["expires_on"]


async def test_each_recipient_and_class_has_a_window_and_a_mail_of_its_own(
    owner: Pool, producer: Producer, settings: dict[str, str]
) -> None:
    async with service.running("digest", settings):
        for recipient in ("ada", "grace"):
            for class_key in ("enquiries", "news"):
                await mailing.take_in(owner, producer, Taken(recipient=recipient, class_key=class_key))
        digests = await _digests(owner, 4)

    assert {(row["recipient"], row["class_key"], row["member_count"]) for row in digests} == {
        ("ada", "enquiries", 1), ("ada", "news", 1), ("grace", "enquiries", 1), ("grace", "news", 1),
    }  # fmt: skip


LEFT_OUT = [
    (Taken(is_dismissed=True), "dismissed"),
    (Taken(is_completed=True, requires_action=True), "completed"),
    (Taken(expires_in=timedelta()), "expired"),
    (Taken(is_cancelled=True), "cancelled"),
    (Taken(recipient="nobody"), "no_address"),
    (Taken(recipient="stranger"), "unknown_recipient"),
    (Taken(recipient="robot"), "system_user"),
    (Taken(asset="4"), "unsubscribed"),
    (Taken(recipient="grace", class_key="news"), "unsubscribed"),
]


_UNSUBSCRIBED = """
INSERT INTO preferences (tenant, recipient, channel, class_key, asset, state, changed_at)
VALUES ('acme', $1, 'email', $2, $3, 'unsubscribed', now())
"""


async def test_what_must_not_be_mailed_is_left_out_with_its_reason_in_trace_and_events(
    owner: Pool, producer: Producer, kafka_settings: KafkaSettings, settings: dict[str, str]
) -> None:
    async with service.running("digest", settings):
        await owner.executemany(_UNSUBSCRIBED, [("ada", "", "4"), ("grace", "news", "")])
        kept = await mailing.take_in(owner, producer, Taken(asset="5"))
        left_out = {await mailing.take_in(owner, producer, taken): reason for taken, reason in LEFT_OUT}
        await _closed(owner)
        [digest] = await _digests(owner, 1)
        async with open_consumer(kafka_settings, "test.events", [topics.EVENTS], 1_000) as events:
            told = await _told(events, 1 + len(LEFT_OUT))

    items = await owner.fetch("SELECT notification_id, digest_id, email_skipped FROM inbox_items")
    assert {row["notification_id"] for row in items if row["digest_id"] == digest["id"]} == {kept}
    assert {row["notification_id"]: row["email_skipped"] for row in items if row["email_skipped"]} == left_out
    skipped = await owner.fetch("SELECT subject_id, reason, channel FROM deliveries WHERE state = 'skipped'")
    assert {row["subject_id"]: row["reason"] for row in skipped} == left_out
    assert {row["channel"] for row in skipped} == {"email"}
    assert told == {str(kept): ("digested", None)} | {str(key): ("skipped", why) for key, why in left_out.items()}
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0


async def _told(consumer: Consumer, count: int) -> dict[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {}

    async def enough() -> bool:
        for record in (await consumer.batch(0.1)).records:
            event = messages.NotificationEvent.model_validate_json(record.value or b"")
            found[event.subject] = (event.type.split(".")[2], event.data.get("reason"))
        return len(found) >= count

    await waiting.until(enough, WITHIN_SECONDS, f"{count} events")
    return found


async def test_an_item_that_makes_no_mail_opens_no_window_and_is_in_none(
    owner: Pool, producer: Producer, settings: dict[str, str]
) -> None:
    async with service.running("digest", settings | {"stray_poll_seconds": "0.2"}):
        quiet = await mailing.take_in(owner, producer, Taken(email_plan="none"))
        await mailing.take_in(owner, producer, Taken())
        [digest] = await _digests(owner, 1)

    assert digest["member_count"] == 1
    rows = await owner.fetch("SELECT digest_id, email_skipped FROM inbox_items WHERE notification_id = $1", quiet)
    assert [tuple(row) for row in rows] == [(None, None)]


async def test_a_window_told_twice_and_too_early_closes_once_and_at_its_time(
    owner: Pool, producer: Producer, mails: Consumer, settings: dict[str, str]
) -> None:
    async with service.running("digest", settings) as running:
        await running.until("/readyz", 200)
        await mailing.take_in(owner, None, Taken(window_seconds=3))
        [window] = await owner.fetch("SELECT * FROM windows")
        for early in (2, 1, 0):
            at = window["due_at"] - timedelta(seconds=early)
            told = messages.WindowOpened(
                id=window["id"], at=at, tenant=TENANT, recipient="ada", class_key="enquiries",
                opened_at=window["opened_at"], due_at=at,
            )  # fmt: skip
            await producer.send(Record(topics.DIGEST_WINDOWS, str(window["id"]).encode(), told.encoded()))
        [digest] = await _digests(owner, 1)
        await producer.send(Record(topics.DIGEST_WINDOWS, str(window["id"]).encode(), told.encoded()))
        await mailing.take_in(owner, producer, Taken(recipient="grace"))
        await _digests(owner, 2)
        requests = await _requested(mails, 2)

    assert digest["flushed_at"] >= window["due_at"]
    assert len({request.id for request in requests}) == len(requests) == 2


async def test_without_any_state_of_faust_what_is_overdue_is_flushed_complete(
    owner: Pool, producer: Producer, kafka_settings: KafkaSettings, settings: dict[str, str]
) -> None:
    quick = settings | {"overdue_seconds": "0.5"}
    async with service.running("digest", quick | {"overdue_seconds": "600"}) as running:
        await running.until("/readyz", 200)
        members = {await mailing.take_in(owner, producer, Taken(window_seconds=6)) for _ in range(2)}
        running.process.send_signal(signal.SIGKILL)
    await _forget_all(kafka_settings)
    members.add(await mailing.take_in(owner, None, Taken()))

    async with service.running("digest", quick):
        [digest] = await _digests(owner, 1)

    rows = await owner.fetch("SELECT notification_id FROM inbox_items WHERE digest_id = $1", digest["id"])
    assert {row["notification_id"] for row in rows} == members


async def _forget_all(settings: KafkaSettings) -> None:
    """Delete the table's changelog and what it was made from, and the group's positions."""
    names = [settings.topic(name) for name in (topics.DIGEST_WINDOWS, topics.DIGEST_WINDOWS_CHANGELOG)]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()


async def test_the_service_leaves_no_folder_behind_even_when_it_is_killed(
    owner: Pool, producer: Producer, settings: dict[str, str], tmp_path: pathlib.Path
) -> None:
    async with service.running("digest", settings, folder=tmp_path) as running:
        await mailing.take_in(owner, producer, Taken(window_seconds=0.5))
        await _digests(owner, 1)
        running.process.send_signal(signal.SIGKILL)
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_an_unsent_item_without_a_window_gets_one_and_is_mailed(owner: Pool, settings: dict[str, str]) -> None:
    lost = await mailing.take_in(owner, None, Taken(window_seconds=None, created_ago=timedelta(minutes=1)))

    async with service.running("digest", settings | {"stray_poll_seconds": "0.2"}):
        [digest] = await _digests(owner, 1)

    rows = await owner.fetch("SELECT digest_id FROM inbox_items WHERE notification_id = $1", lost)
    assert [row["digest_id"] for row in rows] == [digest["id"]]


async def test_a_worker_killed_with_open_windows_recovers_and_flushes_them(
    owner: Pool, producer: Producer, settings: dict[str, str]
) -> None:
    settings |= {"instance": "digest-0"}
    async with service.running("digest", settings) as first:
        await first.until("/readyz", 200)
        for number in range(50):
            await mailing.take_in(owner, producer, Taken(recipient=f"user-{number}", window_seconds=5))
        await mailing.directory(owner, {f"user-{number}": "user@a.example" for number in range(50)})
        first.process.send_signal(signal.SIGKILL)
    async with service.running("digest", settings):
        digests = await _digests(owner, 50, 60)

    assert len({row["recipient"] for row in digests}) == 50


async def test_two_replicas_flush_every_window_once_while_one_leaves(
    owner: Pool, producer: Producer, mails: Consumer, settings: dict[str, str]
) -> None:
    users = [f"user-{number}" for number in range(100)]
    await mailing.directory(owner, {user: f"{user}@a.example" for user in users})
    # A timer may be lost with the member that leaves: then the window is flushed as overdue, as in production.
    names = [settings | {"instance": f"digest-{ordinal}", "overdue_seconds": "5"} for ordinal in range(2)]
    async with service.running("digest", names[0]) as first, service.running("digest", names[1]) as second:
        await first.until("/readyz", 200)
        await second.until("/readyz", 200)
        for user in users[:60]:
            await mailing.take_in(owner, producer, Taken(recipient=user, window_seconds=3))
        assert await second.stop() == 0
        for user in users[60:]:
            await mailing.take_in(owner, producer, Taken(recipient=user, window_seconds=1))
        digests = await _digests(owner, 100, 60)
        requests = await _requested(mails, 100)

    assert {row["recipient"] for row in digests} == set(users)
    assert len({request.id for request in requests}) == len(requests) == 100


async def test_what_is_no_window_is_a_dead_letter_and_holds_up_nothing(
    owner: Pool, producer: Producer, settings: dict[str, str]
) -> None:
    async with service.running("digest", settings) as running:
        await running.until("/readyz", 200)
        for partition_key in (b"a", b"b", b"c"):
            await producer.send(Record(topics.DIGEST_WINDOWS, partition_key, b"{not json"))
        await mailing.take_in(owner, producer, Taken())
        await mailing.take_in(owner, producer, Taken(recipient="grace"))
        await _digests(owner, 2)

        async def buried() -> bool:
            count: int = await owner.fetchval("SELECT count(*) FROM dead_letters WHERE reason = 'undecodable'")
            return count == 3

        await waiting.until(buried, WITHIN_SECONDS, "three dead letters")
