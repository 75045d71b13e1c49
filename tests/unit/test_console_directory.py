"""How files of users are read, and what may be said about a user."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.console import directory
from services.console.directory import UserFields


def test_lines_of_json_are_users_or_say_what_is_wrong_with_them() -> None:
    lines = list(directory.lines_of_ndjson('{"id": "ada"}\n\n{"login": "x"}\nnull\n'))
    assert [(line.number, line.user.id if line.user else None) for line in lines] == [(1, "ada"), (3, None), (4, None)]
    assert [line.errors[0].code for line in lines[1:]] == ["missing", "model_type"]


def test_cells_of_csv_are_fields_and_empty_ones_are_absent() -> None:
    text = 'id,email,roles,kind\nada,,"admin;editor ",\n"with\nbreak",,,\ngrace,,,robot\n'
    lines = list(directory.lines_of_csv(text))
    assert lines[0].user is not None
    assert (lines[0].user.email, lines[0].user.roles) == (None, ("admin", "editor"))
    assert [error.pointer for line in lines[1:] for error in line.errors] == ["/id", "/kind"]


def test_a_file_that_is_no_csv_is_refused_from_where_it_breaks() -> None:
    lines = list(directory.lines_of_csv('id\nada\n"open\n'))
    assert [line.user.id if line.user else line.errors[0].code for line in lines] == ["ada", "csv"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada@EXAMPLE.com", "Ada@example.com"),
        ("a@exämple.de", "a@xn--exmple-cua.de"),
    ],
)
def test_an_address_is_kept_as_a_relay_takes_it(given: str, kept: str) -> None:
    assert UserFields(email=given).email == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "a@b@c"}, {"email": "Ada <ada@example.com>"}, {"email": "a\r\nBcc: x@y.de@example.com"},
        {"timezone": "europe/berlin "}, {"locale": "en_GB.UTF-8"}, {"roles": ["x"] * 101}, {"roles": [""]},
        {"first_name": "\ud800"}, {"login": "x" * 256},
    ],
    ids=["two ats", "display name", "header", "zone", "locale", "many roles", "empty role", "surrogate", "long"],
)  # fmt: skip
def test_what_cannot_be_used_later_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UserFields.model_validate(wrong)
