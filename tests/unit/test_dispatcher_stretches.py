"""Which recipients of a fan-out come next."""

import uuid

import pytest

from services.dispatcher.fanout.stretches import Fanout, Stretch, next_stretch


@pytest.mark.parametrize(
    ("cursor", "handed_over", "expected"),
    [
        pytest.param(0, 0, Stretch(0, 500, written=False), id="from the beginning"),
        pytest.param(500, 500, Stretch(500, 1_000, written=False), id="on from the cursor"),
        pytest.param(1_000, 1_000, Stretch(1_000, 1_200, written=False), id="to the end and no further"),
        pytest.param(500, 0, Stretch(0, 500, written=True), id="what a crash left written goes first"),
        pytest.param(1_200, 1_000, Stretch(1_000, 1_200, written=True), id="also the last of it"),
        pytest.param(1_200, 300, Stretch(300, 800, written=True), id="never more than a stretch"),
    ],
)
def test_what_is_written_and_not_handed_over_goes_before_anything_new(
    cursor: int, handed_over: int, expected: Stretch
) -> None:
    assert next_stretch(Fanout(uuid.UUID(int=1), cursor, handed_over, 1_200), 500) == expected
