"""Preferences at the claim, the last moment before something is sent: which hold, and what the delivery ends as."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from services.dispatcher.delivery.claim_store import Claimed
from shared.contract import topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel, DeliveryState, Reason
from tests.support import databases, delivering
from tests.support.delivering import Bench

CHANNELS = [Channel.PUSH, Channel.EMAIL]
ADDRESS = "https://hooks.example/ada"

OFF, ON = "unsubscribed", "subscribed"

# What is said: by class and by asset, "" being any. What comes: of class enquiries, about asset 4 or about none.
PRECEDENCE = {
    "nothing is said": ([], ON, ON),
    "any": ([("", "", OFF)], OFF, OFF),
    "the class": ([("enquiries", "", OFF)], OFF, OFF),
    "another class": ([("news", "", OFF)], ON, ON),
    "the asset": ([("", "4", OFF)], OFF, ON),
    "another asset": ([("", "5", OFF)], ON, ON),
    "the asset in the class": ([("enquiries", "4", OFF)], OFF, ON),
    "the asset in another class": ([("news", "4", OFF)], ON, ON),
    "the class goes before any": ([("", "", OFF), ("enquiries", "", ON)], ON, ON),
    "the asset goes before the class": ([("enquiries", "", OFF), ("", "4", ON)], ON, OFF),
    "the asset goes before any": ([("", "", OFF), ("", "4", ON)], ON, OFF),
    "the asset in the class goes before the asset": ([("", "4", OFF), ("enquiries", "4", ON)], ON, ON),
    "and before the class": ([("enquiries", "", OFF), ("enquiries", "4", ON)], ON, OFF),
    "the narrower end holds too": ([("", "", ON), ("enquiries", "", ON), ("", "4", OFF)], OFF, ON),
}

# In the urgent lane only what is said about the asset holds.
URGENT = {
    "any": ([("", "", OFF)], ON, ON),
    "the class": ([("enquiries", "", OFF)], ON, ON),
    "the asset": ([("", "4", OFF)], OFF, ON),
    "the asset in the class": ([("enquiries", "4", OFF)], OFF, ON),
    "the asset in the class goes before the asset": ([("", "4", OFF), ("enquiries", "4", ON)], ON, ON),
}


@pytest_asyncio.fixture(params=CHANNELS)
async def bench(request: pytest.FixtureRequest, database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, request.param, Lane.ROUTINE) as opened:
        yield opened


@pytest_asyncio.fixture
async def email(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.EMAIL, Lane.ROUTINE) as opened:
        yield opened


async def endpoint(bench: Bench) -> Any:
    await bench.user()
    return await bench.endpoint(ADDRESS) if bench.channel is Channel.PUSH else "email"


async def outcome(bench: Bench, to: Any, asset: str | None) -> str:
    claimed = await bench.claim(bench.request(await bench.notification(asset=asset), to))
    assert len(claimed.claims) + len(claimed.ended) == 1
    assert [(each.state, each.reason) for each in claimed.ended] in ([], [(DeliveryState.SKIPPED, Reason.UNSUBSCRIBED)])
    return OFF if claimed.ended else ON


async def hold(bench: Bench, table: dict[str, Any]) -> None:
    """Every row of a table of what is said, what comes of the asset, and what comes of none."""
    to, found = await endpoint(bench), {}
    for case, (said, _, _) in table.items():
        await bench.owner.execute("DELETE FROM preferences")
        for class_key, asset, state in said:
            await bench.preference(class_key, asset, state)
        found[case] = (said, await outcome(bench, to, "4"), await outcome(bench, to, None))
    assert found == table


async def test_the_most_specific_preference_holds(bench: Bench) -> None:
    await hold(bench, PRECEDENCE)


async def test_in_the_urgent_lane_only_an_assets_preferences_hold(bench: Bench) -> None:
    bench.lane = Lane.URGENT
    await hold(bench, URGENT)


async def test_a_preference_is_of_one_tenant_recipient_and_channel(bench: Bench) -> None:
    to = await endpoint(bench)
    await bench.owner.execute("INSERT INTO tenants (id) VALUES ('other')")
    await bench.preference(tenant="other")
    await bench.preference(recipient="grace")
    await bench.preference(channel=next(channel for channel in CHANNELS if channel is not bench.channel))
    assert await outcome(bench, to, "4") == ON


async def test_what_is_unsubscribed_from_ends_as_skipped_in_row_and_event(bench: Bench) -> None:
    to = await endpoint(bench)
    await bench.preference("enquiries")
    request = bench.request(await bench.notification(), to)
    claimed = await bench.claim(request)
    row = await bench.row(request.id)
    assert (row["state"], row["reason"], row["lease_owner"]) == ("skipped", "unsubscribed", None)
    assert row["ended_at"] is not None
    [event] = [json.loads(record.value or b"") for record in claimed.records if record.topic == topics.EVENTS]
    assert event["type"] == "tocsin.notification.skipped.v1"
    assert (event["data"]["reason"], event["data"]["channel"]) == ("unsubscribed", bench.channel)


async def digest(bench: Bench, *assets: str | None) -> Claimed:
    members = [await bench.notification(f"About {asset}", asset=asset) for asset in assets]
    return await bench.claim(bench.request(await bench.digest(members), subject="digest"))


async def test_who_unsubscribed_since_the_flush_gets_no_digest(email: Bench) -> None:
    await email.user()
    await email.preference("enquiries")
    claimed = await digest(email, None, None)
    assert [(ended.state, ended.reason) for ended in claimed.ended] == [(DeliveryState.SKIPPED, Reason.UNSUBSCRIBED)]


async def test_a_digest_leaves_out_the_assets_that_were_unsubscribed_from_since(email: Bench) -> None:
    await email.user()
    await email.preference(asset="4")
    (claim,) = (await digest(email, "4", None, "5", "6", "7", "4")).claims
    assert {notice.name for notice in claim.notices} | {"About 7"} >= {"About None", "About 5", "About 6"}
    assert len(claim.notices) == 3
    assert len(claim.unshown) == 1
    assert "About 4" not in {notice.name for notice in claim.notices}


async def test_a_digest_of_what_was_dismissed_is_empty_whatever_is_preferred(email: Bench) -> None:
    await email.user()
    await email.preference(asset="4")
    member = await email.notification(asset="5")
    made = await email.digest([member], dismissed_at=datetime.now(UTC))
    claimed = await email.claim(email.request(made, subject="digest"))
    assert [ended.reason for ended in claimed.ended] == [Reason.EMPTY_DIGEST]
