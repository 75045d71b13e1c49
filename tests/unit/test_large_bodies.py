"""Room for large bodies: never more than there is, in the order of asking."""

import asyncio
from contextlib import AsyncExitStack

from shared.runtime import large_bodies
from shared.runtime.large_bodies import Room


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


class Holder:
    """Somebody who wants room, and holds it until told to leave."""

    def __init__(self, room: Room, wish: int) -> None:
        self.inside = False
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._hold(room, wish))

    async def _hold(self, room: Room, wish: int) -> None:
        async with room.taken(wish):
            self.inside = True
            await self.leave.wait()

    async def left(self) -> None:
        self.leave.set()
        await self.task


async def test_who_finds_no_room_waits_until_there_is() -> None:
    room = Room(10)
    first, second, third = Holder(room, 6), Holder(room, 4), Holder(room, 1)
    await settled()
    assert (first.inside, second.inside, third.inside) == (True, True, False)
    await second.left()
    await settled()
    assert third.inside
    await first.left()
    await third.left()


async def test_a_large_wish_is_not_passed_over_by_small_ones() -> None:
    room = Room(10)
    first, large, small = Holder(room, 6), Holder(room, 10), Holder(room, 1)
    await settled()
    assert (large.inside, small.inside) == (False, False)
    await first.left()
    await settled()
    assert (large.inside, small.inside) == (True, False)
    await large.left()
    await settled()
    assert small.inside
    await small.left()


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    room = Room(10)
    first, impatient, patient = Holder(room, 6), Holder(room, 10), Holder(room, 4)
    await settled()
    impatient.task.cancel()
    await settled()
    await first.left()
    await settled()
    assert patient.inside
    await patient.left()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(room.taken(10))


async def test_a_wish_larger_than_the_room_takes_all_of_it() -> None:
    room = Room(10)
    whole, small = Holder(room, 99), Holder(room, 1)
    await settled()
    assert (whole.inside, small.inside) == (True, False)
    await whole.left()
    await small.left()


def test_the_room_holds_one_body_of_any_size_the_doors_take() -> None:
    assert large_bodies.ROOM_BYTES >= 4 * 10_000_000 + 1_048_576
