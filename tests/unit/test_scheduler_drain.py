"""The outbox is drained in slices, each of which is over when Kafka has acknowledged it."""

import pytest

from services.scheduler import drain
from services.scheduler.store.outbox import OldRow
from shared.contract.records import Record

ROWS = [OldRow(1, [Record("t", b"a", b"1"), Record("t", b"b", b"2")]), OldRow(2, [Record("t", b"c", b"3")])]


@pytest.mark.parametrize(
    ("sent", "done", "begun"),
    [
        pytest.param(0, [], None, id="nothing was sent"),
        pytest.param(1, [], OldRow(1, [Record("t", b"b", b"2")]), id="the first row was begun"),
        pytest.param(2, [1], None, id="the first row is done"),
        pytest.param(3, [1, 2], None, id="all of it was sent"),
    ],
)
def test_rows_are_done_as_far_as_their_records_were_sent(sent: int, done: list[int], begun: OldRow | None) -> None:
    assert drain.left_of(ROWS, sent) == (done, begun)


def test_a_slice_is_bounded_by_records_and_by_bytes() -> None:
    small = [Record("t", b"k", b"1")] * 1_001
    assert [len(part) for part in drain.slices(small)] == [500, 500, 1]
    large = [Record("t", b"k", b"1" * 600_000)] * 3
    assert [len(part) for part in drain.slices(large)] == [1, 1, 1]
    assert list(drain.slices([])) == []
