"""Intake: what was accepted becomes rows and records, once, whatever comes again."""

import dataclasses
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.contract import records, topics
from shared.contract.importance import Importance, Lane
from shared.contract.outcomes import Channel
from shared.contract.records import Record
from shared.errors import TransientError
from shared.kafka.consumer import Batch
from shared.postgres.burial import PoisonLimitError
from shared.runtime.settings import KafkaSettings
from tests.support import intake
from tests.support.databases import Database
from tests.support.notifications import accepted

PUSH = topics.deliveries(Channel.PUSH, Lane.ROUTINE)
EMAIL = topics.deliveries(Channel.EMAIL, Lane.ROUTINE)
HASH, OTHER_HASH = "ab" * 32, "cd" * 32


@pytest_asyncio.fixture
async def bench(kafka_settings: KafkaSettings, database: Database) -> AsyncIterator[intake.Bench]:
    await intake.users(database, 3)
    async with intake.opened(kafka_settings, database) as opened:
        yield opened


def events(written: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return sorted((event["type"].split(".")[2], event["data"].get("reason")) for event in written)


async def test_what_was_accepted_becomes_rows_and_records(bench: intake.Bench) -> None:
    message = accepted("u0", "u1", options={"email": "immediate"}, items=[{"table": "incident", "id": "7"}])
    await bench.take_in(message)

    nid = message.notification_id
    assert await bench.rows("SELECT name, recipient_count, lane, options, items FROM notifications") == [
        ("Enquiry", 2, "routine", '{"email": "immediate"}', '[{"id": "7", "url": null, "table": "incident"}]')
    ]
    items = await bench.rows("SELECT recipient, hidden, cardinality(push_endpoints), email_plan FROM inbox_items")
    assert sorted(items) == [("u0", False, 1, "immediate"), ("u1", False, 1, "immediate")]
    assert await bench.rows("SELECT count(*) FROM deliveries") == [(0,)]
    assert await bench.rows("SELECT event FROM timeline") == [("accepted",)]
    [(taken_in, until)] = await bench.rows("SELECT taken_in_at IS NOT NULL, expires_on FROM identities")
    assert (taken_in, until) == (True, datetime.now(UTC).date() + timedelta(days=14))

    pushes, mails = await bench.written(PUSH), await bench.written(EMAIL)
    endpoints = await bench.rows("SELECT recipient, id::text FROM endpoints WHERE recipient <> 'u2'")
    assert sorted((one["recipient"], one["endpoint"]) for one in pushes) == sorted(endpoints)
    assert sorted((one["recipient"], one["endpoint"], one["attempt"]) for one in mails) == [
        ("u0", "email", 1), ("u1", "email", 1)
    ]  # fmt: skip
    assert {one["subject_id"] for one in pushes} == {str(nid)}
    assert sorted(hint["recipient"] for hint in await bench.written(topics.INBOX_CHANGES)) == ["u0", "u1"]
    assert events(await bench.written(topics.EVENTS)) == [("accepted", None)]
    [(group, topic, offset)] = await bench.rows('SELECT consumer_group, topic, "offset" FROM positions')
    assert (group, topic, offset) == ("dispatcher.intake.routine", "notifications.accepted.routine", 1)


async def test_a_repeat_produces_again_what_no_sink_has_claimed_and_resolves_nothing_anew(bench: intake.Bench) -> None:
    message = accepted("u0", "u1", "nobody", options={"email": "immediate"}, payload_hash=HASH)
    await bench.take_in(message)
    first = {one["id"] for one in [*await bench.written(PUSH), *await bench.written(EMAIL)]}
    [claimed] = [one for one in await bench.written(PUSH) if one["recipient"] == "u0"]
    await bench.rows(CLAIM, uuid.UUID(claimed["id"]), message.notification_id, claimed["endpoint"])
    await intake.users(bench.database, 1, "other")
    await bench.rows("DELETE FROM endpoints")

    await bench.take_in(message)

    again = [*await bench.written(PUSH), *await bench.written(EMAIL)]
    assert len(again) == 4 + 3
    assert {one["id"] for one in again} == first
    assert [one["id"] for one in again].count(claimed["id"]) == 1
    told = await bench.written(topics.EVENTS)
    assert len(told) == 2 * len({event["id"] for event in told})
    assert await bench.rows("SELECT count(*) FROM inbox_items") == [(3,)]
    assert bench.counted("tocsin_intake_replayed_total", lane="routine") == 1


CLAIM = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, attempt,
  accepted_at, created_at)
SELECT tenant, $1, expires_on, 'notification', id, 'u0', $3, 'push', lane, 'leased', 1, accepted_at, now()
FROM notifications WHERE id = $2
"""


async def test_a_repeat_within_one_batch_is_taken_in_once(bench: intake.Bench) -> None:
    message = accepted("u0", payload_hash=HASH)
    await bench.take_in(message, message, message)
    assert await bench.rows("SELECT count(*) FROM notifications") == [(1,)]
    assert len(await bench.written(PUSH)) == 1
    assert bench.counted("tocsin_dropped_total", stage="intake", reason="duplicate") == 2


async def test_a_repeat_of_what_has_expired_produces_nothing(bench: intake.Bench) -> None:
    message = accepted("u0", payload_hash=HASH)
    await bench.take_in(message)
    await bench.rows("UPDATE notifications SET expires_at = now() - interval '1 second'")
    await bench.take_in(message)
    assert len(await bench.written(PUSH)) == 1
    assert events(await bench.written(topics.EVENTS)) == [("accepted", None)]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
async def test_another_body_under_the_same_key_is_rejected_and_nothing_else(
    bench: intake.Bench, *, together: bool
) -> None:
    first = accepted("u0", payload_hash=HASH)
    second = accepted("u1", payload_hash=OTHER_HASH, notification_id=first.notification_id)
    if together:
        await bench.take_in(first, second)
    else:
        await bench.take_in(first)
        await bench.take_in(second)

    assert await bench.rows("SELECT recipient FROM inbox_items") == [("u0",)]
    [rejected] = await bench.written(topics.REJECTED)
    assert [error["code"] for error in rejected["errors"]] == ["key_conflict"]
    assert (rejected["tenant"], rejected["topic"]) == ("acme", "notifications.accepted.routine")
    assert rejected["notification_id"] == str(first.notification_id)
    told = events(await bench.written(topics.EVENTS))
    assert told == [("accepted", None), ("rejected", "key_conflict")]


async def test_who_wrote_a_request_under_a_used_key_to_the_topic_is_told_which(bench: intake.Bench) -> None:
    first = accepted("u0", payload_hash=HASH)
    second = records.accepted(accepted("u1", payload_hash=OTHER_HASH, notification_id=first.notification_id))
    await bench.take_in(first, dataclasses.replace(second, headers=[(records.ORIGIN, b"3:4711")]))
    [rejected] = await bench.written(topics.REJECTED)
    assert (rejected["topic"], rejected["partition"], rejected["offset"]) == ("notifications.requests", 3, 4711)
    assert (rejected["original"], [error["code"] for error in rejected["errors"]]) == (None, ["key_conflict"])


async def test_of_two_bodies_the_one_that_the_identity_knows_wins(bench: intake.Bench) -> None:
    first = accepted("u0", payload_hash=HASH)
    second = accepted("u1", payload_hash=OTHER_HASH, notification_id=first.notification_id)
    await bench.rows(
        "INSERT INTO identities (id, tenant, payload_hash, accepted_at, expires_on)"
        " VALUES ($1, 'acme', $2, now(), current_date + 14)",
        first.notification_id, bytes.fromhex(OTHER_HASH),
    )  # fmt: skip
    await bench.take_in(first, second)
    assert await bench.rows("SELECT recipient FROM inbox_items") == [("u1",)]
    assert len(await bench.written(topics.REJECTED)) == 1


async def test_every_channel_that_was_asked_and_not_used_has_its_reason(bench: intake.Bench) -> None:
    await bench.rows("UPDATE users SET email = NULL WHERE id = 'u1'")
    await bench.rows("DELETE FROM endpoints WHERE recipient = 'u1'")
    await bench.rows("INSERT INTO users (tenant, id, kind) VALUES ('acme', 'robot', 'system')")
    message = accepted("u0", "u1", "robot", "nobody")
    quiet = accepted("u0", importance=Importance.DEFAULT)
    await bench.take_in(message, quiet)

    skipped = await bench.rows(
        "SELECT subject_id, recipient, channel, reason FROM deliveries WHERE state = 'skipped' AND endpoint = channel"
    )
    nid, quiet_id = message.notification_id, quiet.notification_id
    assert sorted(skipped, key=str) == sorted(
        [
            (nid, "u1", "push", "no_endpoint"), (nid, "u1", "email", "no_address"),
            (nid, "robot", "inbox", "system_user"), (nid, "robot", "push", "system_user"),
            (nid, "robot", "email", "system_user"), (nid, "nobody", "inbox", "unknown_recipient"),
            (nid, "nobody", "push", "unknown_recipient"), (nid, "nobody", "email", "unknown_recipient"),
            (quiet_id, "u0", "push", "send_not_set"), (quiet_id, "u0", "email", "send_not_set"),
        ],
        key=str,
    )  # fmt: skip
    assert events(await bench.written(topics.EVENTS)).count(("skipped", "unknown_recipient")) == 3
    hidden = await bench.rows("SELECT recipient FROM inbox_items WHERE hidden")
    assert sorted(hidden) == [("nobody",), ("robot",)]
    assert sorted({hint["recipient"] for hint in await bench.written(topics.INBOX_CHANGES)}) == ["u0", "u1"]
    assert bench.counted("tocsin_dropped_total", stage="routing", reason="send_not_set") == 2


async def test_a_digest_window_opens_once_and_is_told_once(bench: intake.Bench) -> None:
    await bench.rows("INSERT INTO classes (tenant, key, name, options) VALUES ('acme', 'news', '', $1)", json.dumps(
        {"window_seconds": 30, "email": "digest"}))  # fmt: skip
    await bench.take_in(accepted("u0", class_key="news"), accepted("u0", "u1", class_key="news"))
    await bench.take_in(accepted("u0", class_key="news"))

    windows = await bench.rows(
        "SELECT id::text, recipient, class_key, extract(epoch FROM due_at - opened_at)::integer FROM windows"
    )
    assert sorted(row[1:] for row in windows) == [("u0", "news", 30), ("u1", "news", 30)]
    told = await bench.written(topics.DIGEST_WINDOWS)
    assert sorted(one["id"] for one in told) == sorted(row[0] for row in windows)
    assert {one["class"] for one in told} == {"news"}
    assert await bench.written(EMAIL) == []


async def test_what_a_tenant_configured_holds_at_once(bench: intake.Bench) -> None:
    await bench.rows("SELECT make_partitions(31)")
    await bench.rows("INSERT INTO importances (tenant, name, retention, css_class, sort, send)"
                     " VALUES ('acme', 'default', 30, '', 6, true)")  # fmt: skip
    await bench.rows("INSERT INTO classes (tenant, key, name, options) VALUES ('acme', 'silent', '', $1)", json.dumps(
        {"email": "none"}))  # fmt: skip
    await bench.take_in(accepted("u0", importance=Importance.DEFAULT, class_key="silent"))
    assert len(await bench.written(PUSH)) == 1
    assert await bench.rows("SELECT channel, reason FROM deliveries") == [("email", "class_sends_no_email")]
    assert await bench.rows("SELECT expires_on FROM notifications") == [
        (datetime.now(UTC).date() + timedelta(days=30),)
    ]


async def test_what_is_past_its_end_is_recorded_as_expired_and_reaches_nobody(bench: intake.Bench) -> None:
    past = datetime.now(UTC) - timedelta(days=3)
    await bench.take_in(accepted("u0", expires_at=past))
    assert await bench.rows("SELECT expires_at, expires_on FROM notifications") == [(past, datetime.now(UTC).date())]
    assert sorted(await bench.rows("SELECT event FROM timeline")) == [("accepted",), ("expired",)]
    assert await bench.rows("SELECT 1 FROM inbox_items") == []
    assert events(await bench.written(topics.EVENTS)) == [("expired", None)]
    assert bench.counted("tocsin_dropped_total", stage="intake", reason="expired") == 1


async def test_an_open_action_never_expires_by_itself(bench: intake.Bench) -> None:
    await bench.take_in(accepted("u0", requires_action=True))
    never = "expires_on = 'infinity' AND expires_at IS NULL AND remove_after IS NULL"
    assert await bench.rows(f"SELECT {never} FROM notifications") == [(True,)]  # noqa: S608 - the test's own words
    assert await bench.rows(f"SELECT {never} FROM inbox_items") == [(True,)]  # noqa: S608 - the same
    assert await bench.rows("SELECT expires_on = 'infinity' FROM identities") == [(True,)]


SCHEDULE = """
INSERT INTO schedules (id, tenant, notification_id, due_at, local, timezone, state, notification, remove_after)
VALUES ($1, 'acme', $2, now(), now() AT TIME ZONE 'UTC', 'Etc/UTC', $3, '{}', now() + interval '9 days')
"""


async def test_a_schedule_is_released_and_a_cancelled_one_takes_its_notification_with_it(bench: intake.Bench) -> None:
    due, cancelled = accepted("u0", schedule_id=1), accepted("u1", schedule_id=2)
    await bench.rows(SCHEDULE, 1, due.notification_id, "pending")
    await bench.rows(SCHEDULE, 2, cancelled.notification_id, "cancelled")
    await bench.take_in(due, cancelled)
    await bench.take_in(due, cancelled)
    assert sorted(await bench.rows("SELECT id, state FROM schedules")) == [(1, "released"), (2, "cancelled")]
    assert await bench.rows("SELECT recipient FROM inbox_items") == [("u0",)]
    assert ("released",) in await bench.rows("SELECT event FROM timeline")
    assert bench.counted("tocsin_dropped_total", stage="intake", reason="cancelled") == 1


async def test_poison_is_buried_with_its_bytes_and_holds_up_nothing(bench: intake.Bench) -> None:
    await bench.rows("SELECT make_partitions(15)")
    poison = Record(topics.accepted(Lane.ROUTINE), b"k", b"{not json")
    wrong = Record(topics.accepted(Lane.ROUTINE), b"k", b'{"type": "tocsin.inbox.changed.v1", "id": 3}')
    unwritable = accepted("u0", name="a \x00 within")
    hashed = accepted("u0", payload_hash="not hexadecimal")
    large = accepted("u1", options={"number": 2**70}, expires_at=datetime(9999, 12, 31, tzinfo=UTC))
    await bench.take_in(poison, accepted("u0"), unwritable, wrong, hashed, large)
    letters = await bench.rows("SELECT reason, original, topic FROM dead_letters ORDER BY reason")
    assert [letter[0] for letter in letters] == ["invalid", *["undecodable"] * 3]
    assert {letter[2] for letter in letters} == {"notifications.accepted.routine"}
    assert b"{not json" in {letter[1] for letter in letters}
    assert sorted(await bench.rows("SELECT recipient FROM inbox_items")) == [("u0",), ("u1",)]
    assert await bench.rows("SELECT tenant FROM dead_letters WHERE reason = 'invalid'") == [(unwritable.tenant,)]
    rejected = [event for event in await bench.written(topics.EVENTS) if event["type"].endswith(".rejected.v1")]
    assert [event["subject"] for event in rejected] == [str(unwritable.notification_id)]
    assert len(await intake.everything(bench.kafka, topics.DEAD_LETTERS)) == 4
    assert bench.counted("tocsin_dead_letters_total", reason="undecodable") == 3


async def test_a_topic_full_of_poison_is_buried_at_the_limit_and_pauses_the_reader(bench: intake.Bench) -> None:
    await bench.send(*(Record(topics.accepted(Lane.ROUTINE), b"k", b"%d{" % number) for number in range(11)))
    batch = await bench.consumer.batch(5)
    for _ in range(2):
        with pytest.raises(PoisonLimitError, match="poison_limit_per_minute"):
            await bench.intake.work(batch)
        assert len(await bench.rows("SELECT 1 FROM dead_letters")) == 10
    assert "poison_limit_per_minute" in (await bench.intake.burial.paused() or "")
    await bench.rows("UPDATE dead_letters SET at = at - interval '61 seconds'")
    await bench.intake.work(batch)
    assert len(await bench.rows("SELECT 1 FROM dead_letters")) == 11
    assert await bench.intake.burial.paused() is None


async def test_poison_with_strange_headers_and_text_is_buried_all_the_same(bench: intake.Bench) -> None:
    headers: list[Any] = [("null", None), ("a\x00b", b"\xff")]
    await bench.send(Record(topics.accepted(Lane.ROUTINE), b"k", b'{"type":"\\u0000"}'))
    (raw,) = (await bench.consumer.batch(5)).records
    strange = dataclasses.replace(raw, headers=headers)
    await bench.intake.work(Batch([strange], ()))
    ((detail, stored),) = await bench.rows("SELECT detail, headers FROM dead_letters")
    assert "\x00" not in detail
    assert json.loads(stored) == [["null", ""], ["a\ufffdb", "/w=="]]


async def test_very_many_recipients_are_left_to_fan_out(bench: intake.Bench) -> None:
    blast = accepted(*(f"u{number}" for number in range(1_001)))
    await bench.take_in(blast)
    await bench.take_in(blast)
    assert await bench.rows("SELECT lane, cursor, handed_over, expected, cardinality(recipients) FROM fanouts") == [
        ("bulk", 0, 0, 1_001, 1_001)
    ]
    assert await bench.rows("SELECT lane FROM notifications") == [("bulk",)]
    assert await bench.rows("SELECT 1 FROM inbox_items") == []
    assert {event["id"] for event in await bench.written(topics.EVENTS)} == {
        event["id"] for event in (await bench.written(topics.EVENTS))[:1]
    }


async def test_a_stop_leaves_the_rest_of_a_batch_to_whoever_reads_next(bench: intake.Bench) -> None:
    bench.parts.start.stop.set()
    with pytest.raises(TransientError, match="stops"):
        await bench.take_in(accepted("u0"))
    bench.parts.start.stop.clear()
    assert await bench.rows("SELECT 1 FROM positions") == []
