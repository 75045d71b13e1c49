"""What happened to a notification of very many: for each recipient, a stretch at a time, resumed after a kill."""

import asyncio
import dataclasses
import pathlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.dispatcher.follow_ups.loop import FollowingUp
from shared import owners
from shared.contract import ids, topics
from shared.contract.messages import NotificationAccepted
from shared.contract.outcomes import Channel
from shared.runtime.settings import KafkaSettings
from tests.support import intake, notifications, roles, scripted, waiting
from tests.support.databases import Database
from tests.support.intake import Bench
from tests.support.notifications import TENANT

MANY = 1_000
"""As many as intake writes itself; half of them are seen to in the transaction of what happened."""


@pytest.fixture(autouse=True)
def installed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.install(tmp_path, monkeypatch)


@pytest.fixture
def bench_of(kafka_settings: KafkaSettings, database: Database) -> Any:
    return lambda: intake.opened(kafka_settings, database)


def following(bench: Bench, **changed: Any) -> FollowingUp:
    settings = bench.parts.settings.model_copy(update=changed)
    return FollowingUp(bench.pool, dataclasses.replace(bench.parts, settings=settings))


async def turns(bench: Bench, **changed: Any) -> int:
    """How many stretches it takes until nothing is left."""
    following_up, taken = following(bench, **changed), 0
    async with asyncio.timeout(60):
        while await following_up.turn():
            taken += 1
    return taken


async def taken_in(bench: Bench, script: str, **fields: Any) -> NotificationAccepted:
    """A notification to very many, and its script has run."""
    recipients = await intake.users(bench.database, MANY)
    sent = notifications.accepted(*recipients, owner=owners.TOPIC, script=script, **fields)
    await bench.take_in(sent)
    return sent


COMPLETED = """
INSERT INTO follow_ups (tenant, kind, notification_id, expires_on, at, recipient_after, turned_at)
SELECT tenant, 'completed', id, expires_on, now(), '', now() FROM notifications RETURNING id
"""
HIDE = "UPDATE inbox_items SET hidden = true WHERE recipient LIKE '%7' RETURNING recipient"


async def hinted(bench: Bench) -> Counter[str]:
    return Counter(hint["recipient"] for hint in await bench.written(topics.INBOX_CHANGES))


@pytest.mark.parametrize("step", ["before_commit", "after_commit"])
async def test_killed_between_two_stretches_everybodys_inbox_is_told_and_nobodys_else(bench_of: Any, step: str) -> None:
    async with bench_of() as bench:
        recipients = await intake.users(bench.database, MANY)
        await bench.take_in(notifications.accepted(*recipients, requires_action=True))
        before = await hinted(bench)
        hidden = {recipient for (recipient,) in await bench.rows(HIDE)}
        await bench.rows(COMPLETED)
        assert await following(bench, fanout_chunk=300).turn()
        await roles.killed(bench, "fanout", f"dispatcher.follow_ups.{step}")
        [(stands_at,)] = await bench.rows("SELECT recipient_after FROM follow_ups")
        assert stands_at == sorted(recipients)[299 if step == "before_commit" else 799]

        async with roles.running(bench, "fanout"):
            await waiting.until(lambda: _none_left(bench), 30, "the last stretch")
        told = await hinted(bench) - before
        assert set(told) == set(recipients) - hidden
        repeated = {recipient for recipient, count in told.items() if count > 1}
        assert repeated == (set(sorted(recipients)[300:800]) - hidden if step == "before_commit" else set())


async def _none_left(bench: Bench) -> bool:
    return await bench.rows("SELECT count(*) FROM follow_ups") == [(0,)]


async def test_two_of_them_take_turns_and_replicas_never_do_the_same(bench_of: Any) -> None:
    async with bench_of() as bench:
        recipients = await intake.users(bench.database, 600)
        for _ in range(2):
            await bench.take_in(notifications.accepted(*recipients, requires_action=True))
        before = await hinted(bench)
        await bench.rows(COMPLETED)
        assert await following(bench, fanout_chunk=200).turn()
        assert await following(bench, fanout_chunk=200).turn()
        assert len(await bench.rows("SELECT 1 FROM follow_ups WHERE recipient_after <> ''")) == 2
        await asyncio.gather(*(turns(bench, fanout_chunk=200) for _ in range(3)))
        assert await hinted(bench) - before == Counter(dict.fromkeys(recipients, 2))


async def test_a_script_withdraws_from_very_many_at_once_and_ends_what_waits_by_and_by(bench_of: Any) -> None:
    async with bench_of() as bench:
        sent = await taken_in(bench, "withdraw", requires_action=True, options={"email": "immediate"})
        await bench.rows(IMPORTANCE, TENANT)
        await bench.rows(RETRYING, TENANT, sent.notification_id, *await _deliveries(bench, sent))
        await bench.rows(WAITING, TENANT, sent.notification_id)
        async with scripted.working(bench):
            await waiting.until(lambda: _states(bench, "runs", {"done": 1, "cancelled": 500, "waiting": 500}), 30,
                                "the script, and the first runs of recipients")  # fmt: skip
        assert await bench.rows("SELECT count(*) FROM notifications WHERE cancelled_at IS NULL") == [(0,)]
        assert await _states(bench, "deliveries", {"cancelled": 1_000, "retry": 1_000})
        [(kept, identity)] = await bench.rows(KEPT)
        assert (kept, identity) == (timedelta(days=3), datetime.now(UTC).date() + timedelta(days=10))

        assert await turns(bench, fanout_chunk=200) == 3
        assert await _states(bench, "deliveries", {"cancelled": 2_000})
        assert await _states(bench, "runs", {"done": 1, "cancelled": 1_000})
        events = [event for event in await bench.written(topics.EVENTS) if "skipped" in event["type"]]
        assert Counter((event["data"]["recipient"], event["data"]["reason"]) for event in events) == Counter({
            (recipient, "cancelled"): 2 for recipient in sent.recipients
        })  # fmt: skip
        assert await hinted(bench) == Counter(dict.fromkeys(sent.recipients, 2))


IMPORTANCE = """
INSERT INTO importances (tenant, name, retention, css_class, sort, send)
SELECT DISTINCT tenant, importance, 3, '', 1, true FROM notifications WHERE tenant = $1 RETURNING name
"""
RETRYING = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, attempt,
  due_at, accepted_at, created_at)
SELECT $1, id, 'infinity', 'notification', $2, recipient, endpoint, channel, 'routine', 'retry', 2, 'infinity', now(),
  now()
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[]) AS way (id, recipient, endpoint, channel) RETURNING id
"""
WAITING = """
INSERT INTO runs (tenant, id, kind, name, notification_id, expires_on, recipient, due_at, created_at)
SELECT tenant, gen_random_uuid(), 'script', 'remind', notification_id, expires_on, recipient, 'infinity', now()
FROM inbox_items WHERE tenant = $1 AND notification_id = $2 RETURNING id
"""
KEPT = """
SELECT n.remove_after - n.cancelled_at, i.expires_on FROM notifications n JOIN identities i ON i.id = n.id
"""


async def _deliveries(bench: Bench, sent: NotificationAccepted) -> list[tuple[Any, ...]]:
    """What has been tried once for each recipient, by column: ids, recipients, endpoints, channels."""
    items = await bench.rows("SELECT recipient, push_endpoints FROM inbox_items")
    ways = [(recipient, str(push), Channel.PUSH) for recipient, endpoints in items for push in endpoints]
    ways += [(recipient, ids.EMAIL, Channel.EMAIL) for recipient, _ in items]
    named = [(ids.delivery(TENANT, sent.notification_id, recipient, way), recipient, way, channel)
             for recipient, way, channel in ways]  # fmt: skip
    return list(zip(*named, strict=True))


async def _states(bench: Bench, table: str, wanted: dict[str, int]) -> bool:
    found = await bench.rows(f"SELECT state, count(*) FROM {table} GROUP BY state")  # noqa: S608 - one of two names
    return dict(found) == wanted


async def test_a_script_of_each_of_very_many_is_planned_by_and_by_and_once(bench_of: Any) -> None:
    async with bench_of() as bench:
        await taken_in(bench, "remind", options={"after_seconds": 3_600})
        async with scripted.working(bench):
            await waiting.until(lambda: _states(bench, "runs", {"done": 1, "waiting": 500}), 30, "the first runs")
        [(stands_at,)] = await bench.rows("SELECT recipient_after FROM follow_ups")
        await bench.rows("UPDATE follow_ups SET recipient_after = 'u2' RETURNING id")
        assert await turns(bench, fanout_chunk=300) == 3
        found = await bench.rows("SELECT count(*), count(DISTINCT recipient), count(DISTINCT due_at) FROM runs "
                                 "WHERE recipient IS NOT NULL")  # fmt: skip
        assert found == [(MANY, MANY, 1)], f"none twice, although those up to {stands_at} were planned before"


@pytest.mark.parametrize("change", ["cancelled_at = now()", "expires_at = now()"], ids=["withdrawn", "expired"])
async def test_no_script_is_planned_for_what_is_over(bench_of: Any, change: str) -> None:
    async with bench_of() as bench:
        await taken_in(bench, "remind", options={"after_seconds": 3_600})
        async with scripted.working(bench):
            await waiting.until(lambda: _states(bench, "runs", {"done": 1, "waiting": 500}), 30, "the first runs")
        await bench.rows(f"UPDATE notifications SET {change}")  # noqa: S608 - one of two constants
        assert await turns(bench) == 1
        assert await _states(bench, "runs", {"done": 1, "waiting": 500})
