"""A large sendNotification is read as a small one: the same texts, the same mistakes, however it is written."""

import json

import pytest

from services.ingest.dialects.sam import reading
from services.ingest.dialects.sam.body import SendNotification
from shared.contract.requests import MAX_BODY_BYTES
from tests.unit.test_sam_body import LARGE, sent

FILL = 1_500_000
"""More than is read at once."""

PIECE = 4 * 1_048_576


def body(email_body: str, **fields: object) -> str:
    """A body with an emailBody as it stands between its quotes."""
    return json.dumps(sent(**LARGE, emailBody="HERE", **fields)).replace("HERE", email_body)


def read(raw: bytes) -> SendNotification | list[tuple[str, str]]:
    found = reading.read(bytearray(raw))
    return found if isinstance(found, SendNotification) else [(fault.field, fault.detail) for fault in found]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Привет, ", id="Cyrillic"),
        pytest.param("\U0001f600", id="beyond U+FFFF"),
        pytest.param('<a href="x\\y">\n', id="what must be escaped"),
        pytest.param("\\", id="backslashes"),
        pytest.param('"', id="quotes"),
        pytest.param('"emailBody": "', id="like the field itself"),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "as it is"])
def test_a_text_is_read_however_it_is_escaped(text: str, *, ascii_only: bool) -> None:
    whole = text * (FILL // len(text))
    raw = bytearray(json.dumps(sent(**LARGE, emailBody=whole, message=text), ensure_ascii=ascii_only).encode())
    found = reading.read(raw)
    assert isinstance(found, SendNotification)
    assert (found.email_body, found.message) == (whole, text)
    assert raw == b"", "two of them would not fit into memory beside each other"


@pytest.mark.parametrize(
    ("unit", "ascii_only"),
    [
        pytest.param("é", False, id="two bytes"),
        pytest.param("\U0001f600", False, id="four bytes"),
        pytest.param("\U0001f600", True, id="two escapes"),
        pytest.param("b\\u0041\U0001f600", True, id="backslashes"),
        pytest.param("\n" * 29 + "\U0001f600", True, id="many short escapes"),
    ],
)
@pytest.mark.parametrize("shift", [0, 1, 2, 3, 5, 7, 11])
def test_no_character_is_cut_through_where_a_text_is_read_in_pieces(unit: str, shift: int, *, ascii_only: bool) -> None:
    whole = "x" * (PIECE - shift) + unit * 100
    raw = json.dumps(sent(**LARGE, emailBody=whole), ensure_ascii=ascii_only).encode()
    found = reading.read(raw)
    assert isinstance(found, SendNotification)
    assert found.email_body == whole


def test_ten_million_characters_fit_in_whatever_way_they_are_escaped() -> None:
    longest = json.dumps(sent(**LARGE, emailBody="\U0001f600" * 10_000_000))
    assert FILL < len(longest) < reading.MAX_BYTES


@pytest.mark.parametrize(
    ("raw", "field", "said"),
    [
        pytest.param(body("FILL")[:-1] + ', "message": "b"}', "", "'message' stands twice", id="a field twice"),
        pytest.param(body("FILL")[:-1] + ', "emailBody": "b"}', "", "'emailBody' stands twice", id="emailBody twice"),
        pytest.param(body("FILL")[:-1] + ', "brochureId": 1e999}', "", "beyond what a double", id="number"),
        pytest.param(body("FILL")[:-1] + ', "brochureId": NaN}', "", "not JSON", id="NaN"),
        pytest.param(body("FILL")[:-1] + ', "x": ' + "[" * 50 + "]" * 50 + "}", "", "nested more than", id="deep"),
        pytest.param(body("FILL")[:-1] + ",}", "", "not JSON", id="a comma too many"),
        pytest.param(body("FILL")[:-1], "", "not JSON", id="no end"),
        pytest.param(body("FILL")[: body("FILL").index("FILL") + 4], "", "not JSON", id="no end of the text"),
        pytest.param(body("FILL\n"), "", "not JSON", id="a line break that is not escaped"),
        pytest.param(body("FILL\\x"), "", "not JSON", id="no escape"),
        pytest.param(body("FILL\\ud800"), "emailBody", "unicode", id="a lone surrogate"),
        pytest.param(body("FILL\\u0000"), "emailBody", "NUL", id="NUL"),
        pytest.param(body("FILL", values="23"), "values", "must be an array", id="a wrong type"),
        pytest.param(body("FILL", options={"emailBody": ""}), "options", "no field", id="emailBody elsewhere too"),
        pytest.param(
            '{"x": ' + body("FILL")[:-1] + '}, "emailBody": ""}', "version", "is required", id="all of it too deep"
        ),
        pytest.param('["' + body("FILL").replace('"', '\\"') + '"]', "", "", id="within a text"),
    ],
)
def test_a_mistake_is_told_whatever_the_size_of_the_body(raw: str, field: str, said: str) -> None:
    small, large = raw.replace("FILL", "x").encode(), raw.replace("FILL", "x" * FILL).encode()
    assert len(large) > MAX_BODY_BYTES
    for each in (small, large):
        found = read(each)
        assert isinstance(found, list)
        assert [(where, said in detail) for where, detail in found] == [(field, True)]


def test_bytes_that_are_no_text_are_told_whatever_the_size_of_the_body() -> None:
    for length in (1, FILL):
        [(field, detail)] = read(body("x" * length).encode().replace(b'x"', b'\xff"')) or [("", "")]
        assert (field, "is not UTF-8" in detail) == ("", True)
