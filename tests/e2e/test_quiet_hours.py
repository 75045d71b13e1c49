"""A recipient's quiet hours through every real part, and what goes out once they have ended."""

import zoneinfo
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest_asyncio

from deploy.local import trial
from deploy.local.trial import Trial
from tests.support import outside, waiting

USER, ADDRESS = "user-0", "user-0@example.test"
TOKYO = zoneinfo.ZoneInfo("Asia/Tokyo")
HOURS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def system() -> AsyncIterator[Trial]:
    """One of its own: its clock is moved."""
    async with trial.started() as running:
        await running.populate(1)
        yield running


async def hours_pass(system: Trial) -> None:
    """Move the clock of the record beyond the quiet hours."""
    owner = await asyncpg.connect(system.endpoints["postgres"])
    try:
        await owner.execute(
            "CREATE OR REPLACE FUNCTION db_now() RETURNS timestamptz LANGUAGE sql STABLE AS "
            f"$$ SELECT now() + interval '{HOURS} hours' $$"
        )
    finally:
        await owner.close()


async def test_what_is_not_urgent_waits_for_the_end_of_the_quiet_hours_and_its_trace_says_so(system: Trial) -> None:
    begun = datetime.now(TOKYO).replace(second=0, microsecond=0) - timedelta(hours=1)
    end = begun + timedelta(hours=HOURS)
    quiet = {"from": f"{begun:%H:%M}", "to": f"{end:%H:%M}"}
    await system.console(
        "PUT", f"/v1/users/{USER}",
        {"email": ADDRESS, "timezone": "Asia/Tokyo", "quiet_hours": quiet},
    )  # fmt: skip
    await system.console("PUT", "/v1/classes/news", {"name": "News", "options": {"window_seconds": 1}})

    routine = await outside.accepted(system, outside.request("Paid", USER, importance="info", class_key="alarms"))
    digested = await outside.accepted(
        system, outside.request("Story", USER, importance="info", class_key="news", channels=["inbox", "email"])
    )
    urgent = await outside.accepted(system, outside.request("Fire", USER, importance="danger", class_key="alarms"))

    assert {each["state"] for each in await outside.ended(system, urgent, 2)} == {"sent"}
    for notification, channels in ((routine, {"push", "email"}), (digested, {"email"})):
        waiting_ones = await outside.deliveries_when(
            system, notification, lambda seen: {each["reason"] for each in seen} == {"quiet_hours"}, 40
        )
        assert {each["channel"] for each in waiting_ones} == channels
        assert {(each["state"], datetime.fromisoformat(each["due_at"])) for each in waiting_ones} == {("retry", end)}
    assert {item["id"] for item in await outside.inbox_items(system, await outside.inbox_of(system, USER))} == {
        routine, digested, urgent,
    }  # fmt: skip
    assert not [mail for name in ("Paid", "Story") for mail in await outside.mails(system, ADDRESS, name)]

    await hours_pass(system)

    async def mailed() -> bool:
        return all([len(await outside.mails(system, ADDRESS, name)) == 1 for name in ("About Paid", "Story")])

    await waiting.until(mailed, 30, "the mails after the quiet hours")
    for notification, count in ((routine, 2), (digested, 1)):
        for each in await outside.ended(system, notification, count):
            assert (each["state"], [attempt["outcome"] for attempt in each["attempts"]]) == ("sent", ["delivered"])
    assert len(await outside.hooks(system, USER, routine)) == 1
