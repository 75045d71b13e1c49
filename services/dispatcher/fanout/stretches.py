"""Which recipients of a fan-out come next: a plain function of values."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Fanout:
    """A fan-out as it was leased.

    `cursor` recipients have their rows, the deliveries of `handed_over` of them were acknowledged by Kafka.
    """

    notification_id: UUID
    cursor: int
    handed_over: int
    expected: int


class Stretch(NamedTuple):
    """The recipients from `first` up to, not including, `last`; `written` when their rows are there already."""

    first: int
    last: int
    written: bool


def next_stretch(fanout: Fanout, most: int) -> Stretch:
    """What comes next, at most so many: what a crash left written and not handed over goes before anything new.

    Empty when all is handed over, which only a crash before the end was noted leaves behind.
    """
    if fanout.handed_over < fanout.cursor:
        return Stretch(fanout.handed_over, min(fanout.cursor, fanout.handed_over + most), written=True)
    return Stretch(fanout.cursor, min(fanout.expected, fanout.cursor + most), written=fanout.cursor == fanout.expected)
