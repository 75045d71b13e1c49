"""How a file of the directory is cut into pieces that are files too, and whose lines can be told apart."""

import pytest

from cli import directory_import
from cli.directory_import import Piece

CSV = 'id,name\r\na,"two\r\nlines"\r\nb,\r\nc,'


@pytest.mark.parametrize(
    ("text", "first", "is_csv", "cut"),
    [
        pytest.param("1\n\n3\n4", 1, False, [("1\n\n", 0, 2), ("3\n4", 2, 4)], id="ndjson"),
        pytest.param("1\n2\n3\n4\n", 3, False, [("3\n4\n", 2, 4)], id="from_a_line"),
        pytest.param("1\u2028\n2", 1, False, [("1\u2028\n2", 0, 2)], id="other_separators_separate_nothing"),
        pytest.param("", 1, False, [], id="empty"),
        pytest.param("1\n", 2, False, [], id="beyond_the_end"),
        pytest.param(
            CSV, 1, True,
            [('id,name\r\na,"two\r\nlines"\r\n', 0, 3), ("id,name\r\nb,\r\nc,", 2, 5)],
            id="rows_of_csv_stay_whole_under_their_header",
        ),
        pytest.param(CSV, 4, True, [("id,name\r\nb,\r\nc,", 2, 5)], id="csv_from_a_line"),
        pytest.param('id\na\n"b\nc\n', 1, True, [('id\na\n"b\nc\n', 0, 4)], id="broken_csv_goes_in_one"),
    ],
)  # fmt: skip
def test_pieces_hold_every_line_once(text: str, first: int, is_csv: bool, cut: list[tuple[str, int, int]]) -> None:  # noqa: FBT001
    found = directory_import.pieces(text, first, is_csv=is_csv, most_lines=2)
    assert list(found) == [Piece(*each) for each in cut]
