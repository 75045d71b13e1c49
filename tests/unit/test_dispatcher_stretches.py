"""Which recipients of a fan-out come next."""

import uuid

import pytest

from services.dispatcher.fanout.stretches import Fanout, Stretch, Walk, Work, next_stretch
from shared.contract.directory import GroupKind
from shared.contract.messages import Audience


@pytest.mark.parametrize(
    ("cursor", "handed_over", "expected"),
    [
        pytest.param(0, 0, Stretch(0, 500, Work.WRITE), id="from the beginning"),
        pytest.param(500, 500, Stretch(500, 1_000, Work.WRITE), id="on from the cursor"),
        pytest.param(1_000, 1_000, Stretch(1_000, 1_200, Work.WRITE), id="to the end and no further"),
        pytest.param(500, 0, Stretch(0, 500, Work.REPEAT), id="what a crash left written goes first"),
        pytest.param(1_200, 1_000, Stretch(1_000, 1_200, Work.REPEAT), id="also the last of it"),
        pytest.param(1_200, 300, Stretch(300, 800, Work.REPEAT), id="never more than a stretch"),
    ],
)
def test_what_is_written_and_not_handed_over_goes_before_anything_new(
    cursor: int, handed_over: int, expected: Stretch
) -> None:
    assert next_stretch(Fanout(uuid.UUID(int=1), cursor, handed_over, 1_200), 500) == expected


WALK = Walk(Audience(kind=GroupKind.TEAM, company="3"), "", None)


@pytest.mark.parametrize(
    ("cursor", "handed_over", "expected", "walk", "stretch"),
    [
        pytest.param(0, 0, 700, WALK, Stretch(0, 500, Work.WRITE), id="the listed first"),
        pytest.param(700, 700, 700, WALK, Stretch(700, 700, Work.RESOLVE), id="then the audience"),
        pytest.param(900, 700, 900, WALK, Stretch(700, 900, Work.REPEAT), id="what a crash left first"),
        pytest.param(900, 700, 900, None, Stretch(700, 900, Work.REPEAT), id="also behind the last of the audience"),
        pytest.param(900, 900, 900, None, Stretch(900, 900, Work.REPEAT), id="nothing is left but to say so"),
    ],
)
def test_an_audience_is_walked_behind_the_listed_recipients(
    cursor: int, handed_over: int, expected: int, walk: Walk | None, stretch: Stretch
) -> None:
    assert next_stretch(Fanout(uuid.UUID(int=1), cursor, handed_over, expected, walk), 500) == stretch
