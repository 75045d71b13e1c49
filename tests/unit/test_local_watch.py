"""When the supervisor starts a part again, and how long it waits before."""

from deploy.local import watch


def test_the_wait_doubles_with_each_death_in_a_row_up_to_a_quarter_of_a_minute() -> None:
    assert [watch.wait_seconds(deaths) for deaths in (1, 2, 3, 7, 50)] == [0.5, 1.0, 2.0, 15.0, 15.0]


def test_a_part_that_answered_before_is_started_again_after_four_missed_probes() -> None:
    misses = range(6)
    stopped = [watch.has_stopped_turning(missed, answered=True, seconds=8.0) for missed in misses]
    assert stopped == [False, False, False, False, True, True]


def test_a_part_that_has_not_answered_yet_is_given_a_minute_to_start() -> None:
    seconds = (8.0, 59.0, 60.0)
    assert [watch.has_stopped_turning(9, answered=False, seconds=each) for each in seconds] == [False, False, True]
