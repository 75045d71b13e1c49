"""How long to wait before trying again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retry import Backoff

BACKOFF = Backoff(first_seconds=1.0, longest_seconds=60.0)


@pytest.mark.parametrize(
    ("attempt", "least", "most"),
    [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 4.0), (7, 30.0, 60.0), (1_000, 30.0, 60.0)],
    ids=["first", "second", "third", "longest", "never overflows"],
)
def test_waits_double_up_to_the_longest(attempt: int, least: float, most: float) -> None:
    assert BACKOFF.delay_seconds(attempt, chance=0.0) == least
    assert BACKOFF.delay_seconds(attempt, chance=1.0) == most


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_nothing_and_never_beyond_the_longest(attempt: int, chance: float) -> None:
    assert 0.5 <= BACKOFF.delay_seconds(attempt, chance) <= 60.0


def test_what_the_other_side_asked_for_is_honoured_when_it_is_longer() -> None:
    assert BACKOFF.no_sooner_than(1, 0.0, retry_after_seconds=120.0) == 120.0
    assert BACKOFF.no_sooner_than(1, 0.0, retry_after_seconds=0.1) == 0.5
    assert BACKOFF.no_sooner_than(1, 0.0, retry_after_seconds=None) == 0.5
