"""The mailbox's memory: bounded, oldest first out, never the newest."""

from dataclasses import dataclass

from deploy.local.mailbox.shelf import OVERHEAD_BYTES, Shelf


@dataclass(frozen=True)
class Thing:
    number: int
    size: int


def test_the_oldest_gives_way_when_it_no_longer_fits() -> None:
    shelf: Shelf[Thing] = Shelf(3 * (100 + OVERHEAD_BYTES))
    for number in range(1, 6):
        shelf.add(Thing(number, 100))
    assert [thing.number for thing in shelf] == [3, 4, 5]
    assert shelf.counts() == {"count": 3, "received": 5, "dropped": 2}


def test_one_thing_larger_than_the_whole_shelf_is_kept_until_the_next_comes() -> None:
    shelf: Shelf[Thing] = Shelf(1_000)
    shelf.add(Thing(1, 5_000))
    assert [thing.number for thing in shelf] == [1]
    shelf.add(Thing(2, 10))
    assert [thing.number for thing in shelf] == [2]


def test_a_thing_is_found_by_its_number_also_after_others_were_dropped() -> None:
    shelf: Shelf[Thing] = Shelf(2 * (100 + OVERHEAD_BYTES))
    for number in range(1, 5):
        shelf.add(Thing(number, 100))
    assert shelf.find(4) == Thing(4, 100)
    assert shelf.find(1) is None
    assert shelf.find(9) is None
