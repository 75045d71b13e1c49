"""Whether a dead letter's original concerns a person: a name counts where a person is meant."""

import orjson
import pytest

from services.console import persons

NAMES = {"7", "ada.l", "ada@example.test"}


@pytest.mark.parametrize(
    "document",
    [
        {"recipients": ["1", "7"]},
        {"recipient": "7"},
        {"user": {"id": "7", "email": "a@b.example"}},
        {"removed": {"member": {"kind": "team", "group": "1", "user": "7"}}},
        {"notifications": [{"recipients": ["ada.l"]}]},
        {"anything": "ada@example.test"},
        {"login": "ada.l"},
    ],
    ids=str,
)
def test_an_original_that_names_the_person_concerns_the_person(document: object) -> None:
    assert persons.is_named(orjson.dumps(document), NAMES)


@pytest.mark.parametrize(
    "document",
    [
        {"recipients": ["1", "77"]},
        {"id": "7", "items": [{"table": "incident", "id": "7"}]},
        {"audience": {"kind": "team", "ids": ["7"]}},
        {"name": "7 of 9"},
        7,
    ],
    ids=str,
)
def test_another_thing_may_have_the_same_number(document: object) -> None:
    assert not persons.is_named(orjson.dumps(document), NAMES)


@pytest.mark.parametrize(("original", "named"), [(b'{"to": "7", cut', True), (b"\xff ada@example.test", True),
                                                 (b"7 is no string here", False)])  # fmt: skip
def test_of_what_is_no_json_the_bytes_are_searched(original: bytes, *, named: bool) -> None:
    assert persons.is_named(original, NAMES) == named


def test_a_name_is_looked_for_in_each_of_its_spellings() -> None:
    assert set(persons.needles({"zoë"})) == {'"zoë"'.encode(), b'"zo\\u00eb"'}
