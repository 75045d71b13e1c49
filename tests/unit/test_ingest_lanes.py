"""Lanes at the door: by importance, and by load only while routine lags."""

import pytest

from services.ingest import lanes
from services.ingest.routine_lag import Ends
from shared.contract.importance import Importance, Lane
from shared.kafka.lag import Progress

URGENT = (Importance.DANGER, Importance.WARNING, Importance.PRIMARY)


@pytest.mark.parametrize("importance", list(Importance))
@pytest.mark.parametrize("share", [0.01, 0.5, 0.51, 1.0])
def test_only_routine_work_of_a_tenant_over_half_moves_to_bulk_and_only_while_routine_lags(
    importance: Importance, share: float
) -> None:
    usual = Lane.URGENT if importance in URGENT else Lane.ROUTINE
    moved = Lane.BULK if usual is Lane.ROUTINE and share > 0.5 else usual
    assert lanes.lane_for(importance, share, routine_is_behind=False) is usual
    assert lanes.lane_for(importance, share, routine_is_behind=True) is moved


def test_a_share_counts_recipients_of_the_last_ten_seconds() -> None:
    shares = lanes.Shares()
    assert shares.add("acme", 3, 100.0) == 1.0
    assert shares.add("globex", 1, 104.0) == 0.25
    assert shares.add("acme", 1, 109.9) == 0.8
    assert shares.add("globex", 1, 110.1) == pytest.approx(2 / 3)
    assert shares.add("initech", 1, 200.0) == 1.0


def progress(**reads: tuple[int, int]) -> dict[object, Progress]:
    return {partition: Progress(read, end) for partition, (read, end) in reads.items()}


def test_routine_is_behind_when_a_record_is_unread_that_was_there_a_second_ago() -> None:
    ends = Ends()
    assert not ends.behind(progress(a=(0, 10), b=(0, 0)), 50.0)
    assert not ends.behind(progress(a=(5, 90), b=(0, 0)), 50.5)
    assert not ends.behind(progress(a=(10, 500), b=(0, 7)), 51.0)
    assert ends.behind(progress(a=(89, 900), b=(7, 7)), 51.5)
    assert not ends.behind(progress(a=(900, 900), b=(7, 7)), 52.0)


def test_one_stuck_partition_is_not_hidden_by_another_that_runs() -> None:
    ends = Ends()
    ends.behind(progress(a=(0, 1), b=(0, 0)), 50.0)
    assert ends.behind(progress(a=(0, 1), b=(1_000, 1_000)), 51.0)
