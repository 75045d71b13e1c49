"""Sends side by side: bounded per destination, and no destination in the way of another."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest_asyncio

from services.dispatcher.delivery.admission import Limits
from services.dispatcher.delivery.ports import Busy, Claim, Receipt
from services.dispatcher.delivery.traffic import Ends, Traffic
from shared.contract.outcomes import AttemptOutcome
from tests.support import claims

DELIVERED = Receipt(AttemptOutcome.DELIVERED)


@dataclass
class Stepped:
    """A clock that goes on when a test says so."""

    seconds: float = 100.0

    def now(self) -> datetime:
        return datetime(2026, 8, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Road:
    """A destination's far end: sends to `slow` wait until the gate opens, `full` says busy."""

    clock: Stepped = field(default_factory=Stepped)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most: int = 0
    sent: list[Claim] = field(default_factory=list)
    put_off: list[tuple[Claim, float]] = field(default_factory=list)

    async def send(self, claim: Claim) -> Receipt | Busy:
        self.running += 1
        self.most = max(self.most, self.running)
        if claim.request.recipient == "slow":
            await self.gate.wait()
        self.running -= 1
        return Busy(5.0) if claim.request.recipient == "full" else DELIVERED

    def traffic(self, group: asyncio.TaskGroup, limits: Limits) -> Traffic:
        ends = Ends(lambda claim, _receipt, _seconds: self.sent.append(claim), lambda *put: self.put_off.append(put))
        return Traffic(group, limits, self.send, ends, self.clock)


@pytest_asyncio.fixture
async def road() -> AsyncIterator[Road]:
    opened = Road()
    yield opened
    opened.gate.set()


LIMITS = Limits(in_flight=100, connections=3, wait_seconds=5.0)


def to(name: str) -> Claim:
    return claims.push("https://hooks.example/", recipient=name)


async def turned() -> None:
    """Let whatever can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_destination_is_not_in_the_way_of_another(road: Road) -> None:
    async with asyncio.TaskGroup() as group:
        traffic = road.traffic(group, LIMITS)
        for _ in range(5):
            traffic.admit("slow", to("slow"), 10)
        quick = to("quick")
        traffic.admit("quick", quick, 10)
        await turned()
        assert road.sent == [quick]
        road.gate.set()
    assert len(road.sent) == 6


async def test_no_more_is_sent_to_a_destination_at_a_time_than_it_bears(road: Road) -> None:
    async with asyncio.TaskGroup() as group:
        traffic = road.traffic(group, LIMITS)
        for _ in range(20):
            traffic.admit("slow", to("slow"), 20)
        await turned()
        road.gate.set()
    assert (road.most, len(road.sent)) == (3, 20)


async def test_what_waits_for_a_destination_that_is_full_is_put_off_with_it(road: Road) -> None:
    async with asyncio.TaskGroup() as group:
        traffic = road.traffic(group, LIMITS)
        for _ in range(10):
            traffic.admit("full", to("full"), 10)
    assert road.sent == []
    assert len(road.put_off) == 10
    assert all(seconds >= 4.9 for _, seconds in road.put_off)
    assert road.most <= 3, "after the first answer nobody asks it again"


async def test_what_has_waited_too_long_is_put_off_while_sends_hang(road: Road) -> None:
    async with asyncio.TaskGroup() as group:
        traffic = road.traffic(group, Limits(100, 1, wait_seconds=5.0))
        hanging, behind = to("slow"), to("slow")
        traffic.admit("slow", hanging, 2)
        await turned()
        traffic.admit("slow", behind, 2)
        road.clock.seconds += 5.1
        traffic.sweep()
        assert [claim for claim, _ in road.put_off] == [behind]
        road.gate.set()
    assert road.sent == [hanging]


async def test_what_has_waited_too_long_is_not_sent_although_nobody_swept(road: Road) -> None:
    async with asyncio.TaskGroup() as group:
        traffic = road.traffic(group, Limits(100, 1, wait_seconds=5.0))
        hanging, old, fresh = to("slow"), to("slow"), to("slow")
        traffic.admit("slow", hanging, 3)
        await turned()
        traffic.admit("slow", old, 3)
        road.clock.seconds += 4.0
        traffic.admit("slow", fresh, 3)
        road.clock.seconds += 1.1
        road.gate.set()
    assert road.sent == [hanging, fresh]
    assert [claim for claim, _ in road.put_off] == [old]


async def test_who_asked_to_be_left_alone_is_left_alone_whoever_else_is_sent_to(road: Road) -> None:
    async with asyncio.TaskGroup() as group:
        traffic, quick = road.traffic(group, LIMITS), to("quick")
        traffic.admit("busy", to("full"), 1)
        await turned()
        for number in range(10_001):
            traffic.admit(f"quick-{number}", quick, 1)
            await asyncio.wait_for(traffic.ended(), 5)
        later = to("later")
        traffic.admit("busy", later, 1)
    assert road.put_off[-1][0] is later
    assert len(road.sent) == 10_001


async def test_what_has_not_begun_can_be_taken_back(road: Road) -> None:
    async with asyncio.TaskGroup() as group:
        traffic = road.traffic(group, LIMITS)
        for _ in range(5):
            traffic.admit("slow", to("slow"), 5)
        await turned()
        assert len(list(traffic.withdrawn())) == 2
        road.gate.set()
        await traffic.ended()
        assert len(road.sent) == 3
