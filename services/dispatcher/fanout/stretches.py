"""Which recipients of a fan-out come next: a plain function of values."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple
from uuid import UUID

from shared.contract.messages import Audience


@dataclass(frozen=True, slots=True)
class Walk:
    """An audience that is walked behind the listed recipients: up to a member of a group, or all of it where None."""

    audience: Audience
    group_after: str
    member_after: str | None


@dataclass(frozen=True, slots=True)
class Fanout:
    """A fan-out as it was leased.

    `cursor` recipients have their rows, the deliveries of `handed_over` of them were acknowledged by Kafka. `expected`
    are those known by now; more come from `walk`, None where there is no audience, or nothing left of it.
    """

    notification_id: UUID
    cursor: int
    handed_over: int
    expected: int
    walk: Walk | None = None


class Work(Enum):
    """What is to be done with a stretch: write its rows, resolve it first, or only produce it again."""

    WRITE = auto()
    RESOLVE = auto()
    REPEAT = auto()


class Stretch(NamedTuple):
    """The recipients from `first` up to, not including, `last`; how many RESOLVE adds is seen when it is done."""

    first: int
    last: int
    work: Work


def next_stretch(fanout: Fanout, most: int) -> Stretch:
    """What comes next, at most so many: what a crash left written and not handed over goes before anything new.

    Empty when all is handed over, which only a crash before the end was noted leaves behind.
    """
    if fanout.handed_over < fanout.cursor:
        return Stretch(fanout.handed_over, min(fanout.cursor, fanout.handed_over + most), Work.REPEAT)
    if fanout.cursor < fanout.expected:
        return Stretch(fanout.cursor, min(fanout.expected, fanout.cursor + most), Work.WRITE)
    work = Work.REPEAT if fanout.walk is None else Work.RESOLVE
    return Stretch(fanout.cursor, fanout.cursor, work)
