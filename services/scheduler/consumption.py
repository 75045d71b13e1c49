"""Up to when consumer groups have consumed what they were handed: what is older and not taken is lost.

No lag at all is not waited for, since under steady work there always is some. Where the partitions end is noted with
the time; once the group has committed that far, it has consumed what was handed over up to that time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiokafka import TopicPartition

from shared.kafka.lag import LagReader, Progress


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the partitions of a topic ended at a time or later."""

    at: datetime
    offsets: Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a group: consumed up to `until` (None: nothing known), and on its way to `ahead`."""

    until: datetime | None = None
    ahead: Ends | None = None


def moved(mark: Mark, now: datetime, progress: Mapping[TopicPartition, Progress]) -> Mark:
    """The mark after a look at the group's progress, which was asked for after `now`."""
    if all(each.read >= each.end for each in progress.values()):
        return Mark(now)
    ends = Ends(now, {partition: each.end for partition, each in progress.items()})
    if mark.ahead is None:
        return Mark(mark.until, ends)
    return Mark(mark.ahead.at, ends) if _reached(mark.ahead, progress) else mark


def _reached(ahead: Ends, progress: Mapping[TopicPartition, Progress]) -> bool:
    """Whether the group has read so far; a topic made anew ends before what was noted of the old one."""
    return all(each.read >= min(ahead.offsets.get(partition, 0), each.end) for partition, each in progress.items())


class Consumption:
    """Remembers the mark of each group and topic it is asked about."""

    def __init__(self, lag: LagReader) -> None:
        self._lag = lag
        self._marks: dict[tuple[str, str], Mark] = {}

    async def until(self, group: str, topic: str, now: datetime) -> datetime | None:
        """Up to when `group` has consumed `topic`, as far as seen; `now` is the same clock's time before the call.

        It moves on at every second call at the earliest while there is lag. None: nothing is known yet.

        Raises:
            TransientError: the brokers do not answer in time.
        """
        progress = await self._lag.progress(group, [topic])
        mark = moved(self._marks.get((group, topic), Mark()), now, progress)
        self._marks[group, topic] = mark
        return mark.until
