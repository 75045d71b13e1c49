"""Audiences on their way through intake and fan-out: everybody once, however large, resumed, explained."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.dispatcher.fanout.backlog import Backlog
from services.dispatcher.fanout.loop import Spreading
from shared.contract import topics
from shared.contract.directory import GroupKind
from shared.contract.importance import Lane
from shared.contract.messages import Audience, NotificationAccepted
from shared.contract.outcomes import Channel
from shared.kafka.lag import open_lag_reader
from shared.runtime.settings import KafkaSettings
from tests.support import directory, intake, roles, rows, waiting
from tests.support.databases import Database
from tests.support.notifications import accepted

BULK = topics.deliveries(Channel.PUSH, Lane.BULK)
ROUTINE = topics.deliveries(Channel.PUSH, Lane.ROUTINE)


@pytest_asyncio.fixture
async def bench(kafka_settings: KafkaSettings, database: Database) -> AsyncIterator[intake.Bench]:
    async with intake.opened(kafka_settings, database) as opened:
        yield opened


def to_teams(*ids: str, listed: tuple[str, ...] = (), **fields: Any) -> NotificationAccepted:
    return accepted(*listed, audience=Audience(kind=GroupKind.TEAM, company="3", ids=ids), **fields)


async def teams(bench: intake.Bench, members: dict[str, list[str]], tenant: str = rows.TENANT) -> None:
    """Teams of company 3 with accepted members."""
    async with intake.connected(bench.database.owner) as owner:
        for team, users in members.items():
            await directory.group(owner, f"team/{team}", users, tenant=tenant)


@contextlib.asynccontextmanager
async def spreading(bench: intake.Bench) -> AsyncIterator[Spreading]:
    async with open_lag_reader(bench.kafka) as reader:
        yield Spreading(Lane.BULK, bench.pool, Backlog(reader, Lane.BULK, 100_000), bench.parts)


async def spread_all(bench: intake.Bench) -> list[int]:
    """Take turns until nothing is open; how many recipients were remembered after each."""
    remembered = []
    async with asyncio.timeout(60), spreading(bench) as worker:
        while await bench.rows("SELECT 1 FROM fanouts WHERE ended_at IS NULL"):
            assert await worker.turn()
            [(count,)] = await bench.rows("SELECT cardinality(resolved) FROM fanouts")
            remembered.append(count)
    return remembered


async def recipients(bench: intake.Bench) -> list[str]:
    found = await bench.rows('SELECT recipient FROM inbox_items ORDER BY recipient COLLATE "C"')
    return [recipient for (recipient,) in found]


async def pushed(bench: intake.Bench, topic: str) -> Counter[str]:
    return Counter(one["recipient"] for one in await bench.written(topic))


async def told(bench: intake.Bench, event: str) -> list[Any]:
    found = await bench.rows("SELECT detail FROM timeline WHERE event = $1", event)
    return [json.loads(detail) for (detail,) in found]


async def test_a_small_audience_goes_the_way_of_listed_recipients_each_once(bench: intake.Bench) -> None:
    await intake.users(bench.database, 6)
    await teams(bench, {"23": ["u1", "u2"], "27": ["u2", "u3", "nobody"], "99": ["u4"]})
    await bench.take_in(to_teams("23", "27", listed=("u0", "u1")))
    assert await recipients(bench) == ["nobody", "u0", "u1", "u2", "u3"]
    assert await pushed(bench, ROUTINE) == Counter(["u0", "u1", "u2", "u3"])
    assert await bench.rows("SELECT recipient_count FROM notifications") == [(5,)]
    assert await bench.rows("SELECT count(*) FROM fanouts") == [(0,)]
    assert set(await bench.rows("SELECT recipient, reason FROM deliveries")) == {("nobody", "unknown_recipient")}


async def test_a_large_audience_is_walked_in_bounded_pieces_and_everybody_is_reached_once(bench: intake.Bench) -> None:
    users = await intake.users(bench.database, 2_300)
    await teams(bench, {"a": users[:1_500], "b": users[700:], "c": users[:20]})
    await bench.take_in(to_teams(listed=("u0", "u2299", "nobody")))
    remembered = await spread_all(bench)
    assert max(remembered) == 500, "no more is held at a time than a stretch"
    assert await pushed(bench, BULK) == Counter(users)
    assert await recipients(bench) == sorted([*users, "nobody"])
    [progress] = await bench.rows("SELECT cursor, handed_over, expected, audience_open FROM fanouts")
    assert progress == (2_301, 2_301, 2_301, False)
    assert await bench.rows("SELECT recipient_count, lane FROM notifications") == [(2_301, "bulk")]
    assert await told(bench, "fan_out_ended") == [{"written": 2_301, "recipients": 2_301}]


async def test_an_audience_of_very_many_small_groups_ends_too(bench: intake.Bench) -> None:
    users = await intake.users(bench.database, 300)
    await teams(bench, {f"t{number:03}": users[number : number + 2] for number in range(299)})
    await bench.take_in(to_teams())
    await spread_all(bench)
    assert await pushed(bench, BULK) == Counter(users)


@pytest.mark.parametrize("step", ["after_commit", "after_produce"])
async def test_a_killed_walk_is_resumed_and_not_begun_again(bench: intake.Bench, step: str) -> None:
    users = await intake.users(bench.database, 2_000)
    await teams(bench, {"a": users[:1_200], "b": users[1_000:]})
    await bench.take_in(to_teams())
    async with spreading(bench) as worker:
        await worker.turn()
    await roles.killed(bench, "fanout", f"dispatcher.fanout.{step}")
    assert await bench.rows("SELECT cursor, handed_over FROM fanouts") == [(1_000, 500)]
    before = set(await recipients(bench))
    # Who leaves after being written is reached all the same; a walk begun again would not find them.
    await bench.rows("DELETE FROM group_members WHERE user_id = ANY ($1::text[])", sorted(before))

    async with roles.running(bench, "fanout"):
        await waiting.until(lambda: bench.rows("SELECT 1 FROM fanouts WHERE ended_at IS NOT NULL"), 60, "the end")
    counts = await pushed(bench, BULK)
    assert set(counts) == set(users)
    assert sum(count - 1 for count in counts.values()) == (0 if step == "after_commit" else 500)
    assert len({one["id"] for one in await bench.written(BULK)}) == 2_000
    assert await recipients(bench) == sorted(users)


@pytest.mark.parametrize("change", ["cancelled_at = now()", "expires_at = now()"], ids=["cancelled", "expired"])
async def test_members_that_a_walk_no_longer_reaches_are_told_so_and_nobody_else_is(
    bench: intake.Bench, change: str
) -> None:
    users = await intake.users(bench.database, 1_600)
    await teams(bench, {"a": users[:1_200], "b": users[900:]})
    await bench.take_in(to_teams(listed=("u0", "u1")))
    async with spreading(bench) as worker:
        assert await worker.turn()
        assert await worker.turn()
    reached = set(await recipients(bench))
    await bench.rows(f"UPDATE notifications SET {change}")  # noqa: S608 - one of two constants
    await spread_all(bench)
    events = [event["data"] for event in await bench.written(topics.EVENTS) if "skipped" in event["type"]]
    assert {(event["recipient"], event["reason"]) for event in events} == {
        (user, "cancelled" if "cancelled" in change else "expired") for user in set(users) - reached
    }
    assert set(await recipients(bench)) == reached
    assert await told(bench, "fan_out_ended") == [{"written": 500, "recipients": 500}]
    assert await bench.rows("SELECT recipient_count FROM notifications") == [(500,)]


@pytest.mark.parametrize("members", [3, 1_200], ids=["small", "large"])
async def test_a_replay_resolves_nothing_again(bench: intake.Bench, members: int) -> None:
    users = await intake.users(bench.database, members + 1)
    await teams(bench, {"23": users[:members]})
    message = to_teams("23")
    await bench.take_in(message)
    await teams(bench, {"23": users[members:]})
    async with intake.connected(bench.database.owner) as owner:
        await owner.execute("DELETE FROM group_members WHERE user_id = 'u0'")
    await bench.take_in(message)
    if members > 1_000:
        await bench.rows("DELETE FROM group_members WHERE user_id = $1", users[members])
        await spread_all(bench)
        assert await recipients(bench) == sorted(users[1:members])
    else:
        assert await recipients(bench) == sorted(users[:members])


async def test_an_unknown_and_an_empty_audience_are_told_and_reach_nobody(bench: intake.Bench) -> None:
    await intake.users(bench.database, 2)
    await teams(bench, {"23": []})
    await teams(bench, {"23": ["u0"], "other": ["u1"]}, tenant="globex")
    message = to_teams("23", "other", "nowhere")
    await bench.take_in(message)
    assert await recipients(bench) == []
    assert await told(bench, "unknown_audience") == [
        {"kind": "team", "company": "3", "ids": ["other", "nowhere"], "unknown": 2}
    ]
    assert await told(bench, "empty_audience") == [{"kind": "team", "company": "3"}]
    assert await bench.rows("SELECT count(*) FROM outbox") == [(0,)]
    events = [event for event in await bench.written(topics.EVENTS) if event["type"].endswith(".skipped.v1")]
    assert [(event["type"], event["data"]["reason"]) for event in events] == [
        ("tocsin.notification.skipped.v1", "unknown_audience"),
        ("tocsin.notification.skipped.v1", "empty_audience"),
    ]
    assert {event["subject"] for event in events} == {str(message.notification_id)}


async def test_an_audience_is_the_tenants_own(bench: intake.Bench) -> None:
    await intake.users(bench.database, 2)
    await intake.users(bench.database, 2, "globex")
    await teams(bench, {"23": ["u0"]})
    await teams(bench, {"23": ["u1"]}, tenant="globex")
    await bench.take_in(to_teams("23"), to_teams("23", tenant="globex"))
    assert set(await bench.rows("SELECT tenant, recipient FROM inbox_items")) == {("acme", "u0"), ("globex", "u1")}
