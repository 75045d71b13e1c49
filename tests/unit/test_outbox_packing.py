"""The outbox gives back the bytes it was given."""

from hypothesis import given
from hypothesis import strategies as st

from shared.contract.records import Record
from shared.postgres import outbox

_RECORDS = st.builds(
    Record,
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.none() | st.binary(),
    st.none() | st.binary() | st.text(st.characters(codec="utf-8")).map(str.encode),
    st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.binary())),
)


@given(st.lists(_RECORDS))
def test_records_come_out_as_they_went_in(records: list[Record]) -> None:
    assert outbox.records_of(outbox.packed(records)) == records


def test_text_is_kept_as_text_so_that_an_operator_can_read_it() -> None:
    assert outbox.packed([Record("t", b"k", b'{"a":1}')]) == rb'[["t","k","{\"a\":1}",[]]]'
