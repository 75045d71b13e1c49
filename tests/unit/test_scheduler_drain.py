"""What of the outbox is over when Kafka has acknowledged a part of it."""

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
