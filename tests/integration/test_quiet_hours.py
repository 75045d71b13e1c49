"""Quiet hours at the claim, on a real database: what waits, until when, and what passes."""

import zoneinfo
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from services.dispatcher.delivery import claim_statements
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel, Reason
from tests.integration.test_dispatcher_plans import plan
from tests.support import databases, delivering, intake
from tests.support.delivering import Bench

ADDRESS = "https://hooks.example/ada"
_UNTIL = "SELECT quiet_until($1, $2, $3, $4)"


@pytest_asyncio.fixture
async def push(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.PUSH) as bench:
        bench.lane = Lane.ROUTINE
        yield bench


@pytest_asyncio.fixture
async def email(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.EMAIL) as bench:
        bench.lane = Lane.ROUTINE
        yield bench


async def quiet(bench: Bench, **hours: Any) -> datetime:
    """Give Ada quiet hours in Tokyo that have begun, and end in about an hour; when they end."""
    await bench.user()
    tokyo = zoneinfo.ZoneInfo("Asia/Tokyo")
    begun = datetime.now(tokyo).replace(second=0, microsecond=0) - timedelta(hours=3)
    end = begun + timedelta(hours=4)
    await bench.owner.execute(
        "UPDATE users SET quiet_from = $1, quiet_to = $2, timezone = 'Asia/Tokyo'",
        hours.get("begins", begun.time()), hours.get("ends", end.time()),
    )  # fmt: skip
    return end


BERLIN, SYDNEY, HOWE = "Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe"


@pytest.mark.parametrize(
    ("at", "zone", "hours", "until"),
    [
        ("2026-11-28T21:59:59+01:00", BERLIN, "22:00-07:00", None),
        ("2026-11-28T22:00:00+01:00", BERLIN, "22:00-07:00", "2026-11-29T07:00:00+01:00"),
        ("2026-11-29T06:59:59+01:00", BERLIN, "22:00-07:00", "2026-11-29T07:00:00+01:00"),
        ("2026-11-29T07:00:00+01:00", BERLIN, "22:00-07:00", None),
        ("2026-11-28T13:30:00+11:00", SYDNEY, "13:00-14:00", "2026-11-28T14:00:00+11:00"),
        ("2026-11-28T23:30:00+00:00", "UTC", "23:00-00:00", "2026-11-29T00:00:00+00:00"),
        ("2026-03-28T23:00:00+01:00", BERLIN, "22:00-07:00", "2026-03-29T07:00:00+02:00"),
        ("2026-10-24T23:00:00+02:00", BERLIN, "22:00-07:00", "2026-10-25T07:00:00+01:00"),
        ("2026-03-29T01:30:00+01:00", BERLIN, "22:00-02:30", "2026-03-29T03:30:00+02:00"),
        ("2026-03-29T03:10:00+02:00", BERLIN, "22:00-02:30", "2026-03-29T03:30:00+02:00"),
        ("2026-03-29T03:10:00+02:00", BERLIN, "02:30-07:00", None),
        ("2026-03-29T03:30:00+02:00", BERLIN, "02:30-07:00", "2026-03-29T07:00:00+02:00"),
        ("2026-10-25T02:10:00+02:00", BERLIN, "22:00-02:30", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T02:10:00+01:00", BERLIN, "22:00-02:30", None),
        ("2026-10-25T02:40:00+02:00", BERLIN, "02:30-03:00", "2026-10-25T03:00:00+01:00"),
        ("2026-10-25T02:10:00+01:00", BERLIN, "02:30-03:00", "2026-10-25T03:00:00+01:00"),
        ("2026-10-04T01:50:00+10:30", HOWE, "23:00-02:15", "2026-10-04T02:45:00+11:00"),
        ("2027-04-04T01:40:00+11:00", HOWE, "23:00-01:45", "2027-04-04T01:45:00+11:00"),
        ("2026-11-28T22:30:00+00:00", "No/Such_Zone", "22:00-07:00", "2026-11-29T07:00:00+00:00"),
    ],
    ids=[
        "before", "first second", "last second", "end", "within a day", "to midnight", "night of 8 hours",
        "night of 10 hours", "ends in a gap", "after the gap and before its end", "begun in a gap, not yet",
        "begun in a gap", "ends in an overlap, first time", "ends in an overlap, second time", "begun in an overlap",
        "goes on over the overlap", "gap of half an hour", "overlap of half an hour", "unknown zone is UTC",
    ],
)  # fmt: skip
async def test_quiet_hours_follow_the_clocks_of_the_recipients_place(
    push: Bench, at: str, zone: str, hours: str, until: str | None
) -> None:
    begins, ends = (time.fromisoformat(part) for part in hours.split("-"))
    found = await push.owner.fetchval(_UNTIL, datetime.fromisoformat(at), begins, ends, zone)
    assert found == (None if until is None else datetime.fromisoformat(until))


@pytest.mark.parametrize("zone", [BERLIN, SYDNEY, HOWE, "America/New_York", "Africa/Casablanca", "Asia/Kathmandu"])
async def test_every_local_time_is_the_instant_that_schedules_give_it(push: Bench, zone: str) -> None:
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - a local time
    every = [start + timedelta(minutes=15) * number for number in range(2 * 365 * 96)]
    rows = await push.owner.fetch("SELECT instant_of(at, $2) AS it FROM unnest($1::timestamp[]) AS at", every, zone)
    wanted = [each.replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC) for each in every]
    assert [row["it"] for row in rows] == wanted


async def test_a_push_waits_for_the_end_of_the_quiet_hours_and_no_attempt_is_spent(push: Bench) -> None:
    end = await quiet(push)
    request = push.request(await push.notification(), await push.endpoint(ADDRESS))
    claimed = await push.claim(request)
    assert (claimed.claims, claimed.ended, claimed.records) == ([], [], [])
    row = await push.row(request.id)
    assert (row["state"], row["reason"], row["attempt"], row["due_at"]) == ("retry", Reason.QUIET_HOURS, 1, end)
    assert (row["lease_owner"], row["ended_at"]) == (None, None)
    assert (await push.claim(request)).claims == [], "it is not due before they end"
    await push.pass_time(3601)
    assert len((await push.claim(request)).claims) == 1
    assert await push.attempts(request.id) == []


async def test_a_repeat_that_falls_into_quiet_hours_waits_too_and_keeps_its_attempt(push: Bench) -> None:
    request = push.request(await push.notification(), await push.endpoint(ADDRESS), attempt=3)
    await push.claim(request)
    await push.owner.execute("UPDATE deliveries SET state = 'retry', reason = 'timeout', due_at = now()")
    end = await quiet(push)
    await push.claim(request)
    row = await push.row(request.id)
    assert (row["state"], row["reason"], row["attempt"], row["due_at"]) == ("retry", "quiet_hours", 3, end)


async def test_a_mail_and_a_digest_wait_as_well(email: Bench) -> None:
    end = await quiet(email)
    notification = await email.notification()
    mail, digest = email.request(notification), email.request(await email.digest([notification]), subject="digest")
    assert (await email.claim(mail, digest)).claims == []
    for request in (mail, digest):
        row = await email.row(request.id)
        assert (row["state"], row["reason"], row["due_at"]) == ("retry", "quiet_hours", end)


@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.EMAIL])
async def test_the_urgent_lane_passes(database: databases.Database, channel: Channel) -> None:
    async with delivering.opened(database, channel) as bench:
        await quiet(bench)
        endpoint = await bench.endpoint(ADDRESS) if channel is Channel.PUSH else "email"
        assert len((await bench.claim(bench.request(await bench.notification(), endpoint))).claims) == 1


async def test_what_expires_before_the_quiet_hours_end_ends_as_expired_when_it_does(push: Bench) -> None:
    await quiet(push)
    expires_at = datetime.now(UTC) + timedelta(minutes=10)
    request = push.request(await push.notification(expires_at=expires_at), await push.endpoint(ADDRESS))
    await push.claim(request)
    assert (await push.row(request.id))["due_at"] == expires_at
    await push.pass_time(601)
    (ended,) = (await push.claim(request)).ended
    assert (ended.state, ended.reason) == ("expired", "expired")


async def test_who_has_no_quiet_hours_or_is_not_in_them_is_not_kept_waiting(push: Bench) -> None:
    over = datetime.now(zoneinfo.ZoneInfo("Asia/Tokyo")) - timedelta(hours=1)
    await quiet(push, begins=(over - timedelta(hours=4)).time(), ends=over.time())
    endpoint = await push.endpoint(ADDRESS)
    requests = [push.request(await push.notification(), endpoint, recipient=name) for name in ("ada", "grace")]
    assert len((await push.claim(*requests)).claims) == 2


async def test_the_reason_to_skip_a_delivery_is_told_at_once_in_quiet_hours(email: Bench) -> None:
    await quiet(email)
    await email.owner.execute("UPDATE users SET email = NULL")
    (ended,) = (await email.claim(email.request(await email.notification()))).ended
    assert ended.reason == Reason.NO_ADDRESS


async def test_quiet_hours_have_both_ends_or_none(push: Bench) -> None:
    await push.user()
    for hours in ("quiet_from = '22:00'", "quiet_to = '22:00'", "quiet_from = '22:00', quiet_to = '22:00'"):
        with pytest.raises(asyncpg.CheckViolationError):
            await push.owner.execute(f"UPDATE users SET {hours}")  # noqa: S608 - the test's own words


async def test_push_asks_the_index_of_those_who_have_quiet_hours_and_no_other_of_users(
    database: databases.Database,
) -> None:
    async with intake.connected(database.owner) as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
        found = await plan(connection, claim_statements.PUSH)
    lines = [line for line in found.splitlines() if "users" in line]
    assert len(lines) == 1
    assert "users_quiet" in lines[0]
