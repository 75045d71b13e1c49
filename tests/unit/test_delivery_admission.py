"""Whether a destination takes one more delivery, and when one that was put off comes again."""

import pytest

from services.dispatcher.delivery.admission import Limits, Load, Speed, admits, crowded

LIMITS = Limits(in_flight=2_000, connections=64, wait_seconds=5.0)


def speed(send_seconds: float) -> Speed:
    known = Speed()
    for _ in range(100):
        known.sent(send_seconds)
    return known


CASES = [
    ("nothing_is_known_and_nothing_waits", Load(0, 0, 0), Speed(), True),
    ("a_fast_one_may_hold_nearly_everything", Load(1_900, 64, 1_990), speed(0.02), True),
    ("a_wait_that_is_too_long_is_no_use", Load(700, 64, 800), speed(0.5), False),
    ("a_slow_one_may_use_its_connections", Load(0, 10, 10), speed(10), True),
    ("a_slow_one_may_not_queue_for_long", Load(33, 64, 97), speed(10), False),
    ("a_slow_one_leaves_room_for_the_others", Load(10, 50, 1_950), speed(2), False),
    ("a_first_send_that_hangs_tells_before_it_ends", Load(200, 64, 300, oldest_seconds=3), Speed(), False),
]


@pytest.mark.parametrize(("load", "known", "admitted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_delivery_waits_only_where_its_turn_comes_soon(load: Load, known: Speed, *, admitted: bool) -> None:
    assert admits(load, known, LIMITS, now=100.0) is admitted


def test_a_busy_destination_takes_nothing_until_its_pause_is_over() -> None:
    known = Speed()
    known.refused(now=100.0, seconds=5.0)
    assert not admits(Load(0, 0, 0), known, LIMITS, now=104.9)
    assert admits(Load(0, 0, 0), known, LIMITS, now=105.1)


def test_a_destination_that_stays_busy_is_left_alone_for_longer_each_time() -> None:
    known, now, pauses = Speed(), 100.0, []
    for _ in range(6):
        known.refused(now, 5.0)
        known.refused(now + 0.1, 5.0)  # another send that was under way says the same
        pauses.append(known.busy_until - now)
        now = known.busy_until
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    known.sent(0.1)
    known.refused(now, 5.0)
    assert known.busy_until - now == 5.0


def test_what_is_put_off_comes_again_one_after_the_other() -> None:
    known = speed(0.64)
    turns = [known.turn(now=100.0, connections=64) for _ in range(500)]
    assert turns[0] == pytest.approx(1.0)
    assert turns[1] - turns[0] == pytest.approx(0.01)
    assert turns == sorted(turns)


def test_nothing_is_put_off_for_longer_than_five_minutes() -> None:
    known = speed(15)
    assert max(known.turn(now=100.0, connections=1) for _ in range(1_000)) == pytest.approx(300.0)


def test_what_is_put_off_comes_after_the_pause_of_a_busy_destination() -> None:
    known = Speed()
    known.refused(now=100.0, seconds=30.0)
    assert known.turn(now=101.0, connections=4) == pytest.approx(29.0)


CROWDS = [
    ("an_empty_queue_takes_any_batch", Load(0, 4, 4, oldest_seconds=10), Speed(), False),
    ("a_quick_one_takes_more", Load(1_000, 4, 1_004), speed(0.01), False),
    ("a_queue_that_would_take_too_long_catches_up_first", Load(100, 4, 104), speed(0.6), True),
]


@pytest.mark.parametrize(
    ("load", "known", "is_crowded"), [case[1:] for case in CROWDS], ids=[case[0] for case in CROWDS]
)
def test_the_only_destination_catches_up_before_more_is_read(load: Load, known: Speed, *, is_crowded: bool) -> None:
    assert crowded(load, known, Limits(2_000, 4, wait_seconds=30.0), more=500, now=100.0) is is_crowded


def test_nothing_is_read_for_the_only_destination_while_it_is_busy() -> None:
    known = Speed()
    known.refused(now=100.0, seconds=5.0)
    assert crowded(Load(0, 0, 0), known, LIMITS, more=1, now=104.0)
    assert not crowded(Load(0, 0, 0), known, LIMITS, more=1, now=106.0)
