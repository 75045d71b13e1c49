"""How a batch of accepted notifications is cut into transactions."""

import uuid
from dataclasses import dataclass

import pytest

from services.dispatcher.intake import batches
from services.dispatcher.intake.batches import Accepted
from tests.support.notifications import accepted

ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))


@dataclass
class Raw:
    offset: int
    topic: str = "notifications.accepted.routine"
    partition: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def batch(*keys: tuple[uuid.UUID, str | None]) -> list[Accepted]:
    return [
        Accepted(accepted(notification_id=each, payload_hash=body), Raw(offset))
        for offset, (each, body) in enumerate(keys)
    ]


@pytest.mark.parametrize(
    ("keys", "rounds"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([(ONE, "a"), (TWO, "a")], [[0, 1]], id="different notifications"),
        pytest.param([(ONE, "a"), (ONE, "a"), (TWO, None), (TWO, None)], [[0, 2]], id="repeats are left out"),
        pytest.param([(ONE, "a"), (TWO, "b"), (ONE, "c")], [[0, 1], [2]], id="a second body comes after the first"),
        pytest.param([(ONE, "a"), (ONE, "b"), (ONE, "a"), (ONE, "c"), (THREE, "b")], [[0, 4], [1], [3]],
                     id="each body once"),
    ],
)  # fmt: skip
def test_each_id_stands_once_in_a_round(keys: list[tuple[uuid.UUID, str | None]], rounds: list[list[int]]) -> None:
    found = batches.collapsed(batch(*keys))
    assert [[each.raw.offset for each in round_] for round_ in found] == rounds


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([1, 1, 1], [[1, 1, 1]], id="small ones together"),
        pytest.param([3, 3, 3], [[3], [3], [3]], id="no more recipients than agreed"),
        pytest.param([2, 3, 1, 1, 4], [[2, 3], [1, 1], [4]], id="in order"),
        pytest.param([7, 1], [[7], [1]], id="one that alone has more goes alone"),
        pytest.param([9, 9, 9, 2], [[9, 9, 9, 2]], id="what fan-out writes weighs one"),
    ],
)
def test_a_transaction_writes_a_bounded_number_of_recipients(sizes: list[int], expected: list[list[int]]) -> None:
    asked = [
        Accepted(accepted(recipients=tuple(f"u{number}" for number in range(size))), Raw(offset))
        for offset, size in enumerate(sizes)
    ]
    found = batches.transactions(asked, 5, 8)
    assert [[len(each.message.recipients) for each in portion] for portion in found] == expected
