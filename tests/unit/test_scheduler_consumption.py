"""Up to when a consumer group has consumed what it was handed."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition

from services.scheduler.consumption import Ends, Mark, moved
from shared.kafka.lag import Progress

EARLIER = datetime(2026, 8, 1, tzinfo=UTC)
NOW = EARLIER + timedelta(seconds=1)
FIRST, SECOND = (TopicPartition("deliveries", number) for number in range(2))
AHEAD = Ends(EARLIER, {FIRST: 5, SECOND: 7})


@pytest.mark.parametrize(
    ("mark", "read", "ends", "until"),
    [
        (Mark(), (5, 7), (5, 7), NOW),
        (Mark(), (4, 7), (5, 7), None),
        (Mark(None, AHEAD), (4, 9), (5, 9), None),
        (Mark(None, AHEAD), (5, 7), (6, 9), EARLIER),
        (Mark(EARLIER, Ends(NOW, {FIRST: 8, SECOND: 8})), (7, 8), (9, 9), EARLIER),
        (Mark(None, AHEAD), (0, 7), (0, 9), EARLIER),
        (Mark(None, Ends(EARLIER, {FIRST: 5})), (5, 0), (6, 3), EARLIER),
    ],
    ids=[
        "no lag: until now", "lag, nothing known", "one partition is not there yet", "read as far as was noted",
        "what is known stays", "a topic made anew", "a partition added since",
    ],
)  # fmt: skip
def test_a_group_has_consumed_what_there_was_when_it_has_read_as_far(
    mark: Mark, read: tuple[int, int], ends: tuple[int, int], until: datetime | None
) -> None:
    progress = {each: Progress(*values) for each, *values in zip((FIRST, SECOND), read, ends, strict=True)}
    assert moved(mark, NOW, progress).until == until


def test_under_steady_lag_the_mark_follows_at_every_second_look() -> None:
    mark = Mark()
    for second in range(4):
        progress = {FIRST: Progress(read=10 * second, end=10 * second + 10)}
        mark = moved(mark, EARLIER + timedelta(seconds=second), progress)
    assert mark.until == EARLIER + timedelta(seconds=2)
