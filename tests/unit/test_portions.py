"""How a sequence is cut into portions."""

import pytest

from shared.portions import portions


@pytest.mark.parametrize(
    ("weights", "heaviest", "longest", "expected"),
    [
        pytest.param([], 10, 2, [], id="nothing"),
        pytest.param([5, 5, 1], 10, None, [[5, 5], [1]], id="by weight, up to it"),
        pytest.param([1, 1, 1], 10, 2, [[1, 1], [1]], id="by count"),
        pytest.param([2, 11, 2], 10, None, [[2], [11], [2]], id="what is too heavy goes alone"),
        pytest.param([0, 0, 0], 0, None, [[0, 0, 0]], id="what weighs nothing goes along"),
    ],
)
def test_portions_keep_the_order_and_both_bounds(
    weights: list[int], heaviest: int, longest: int | None, expected: list[list[int]]
) -> None:
    assert list(portions(weights, int, heaviest, longest)) == expected
