"""How files of the directory are read, and what may be said about users, groups and members."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.console import files
from services.console.files import Content
from shared.contract.directory_entries import DirectoryChanged, GroupEntry, QuietHours, UserEntry, UserFields


def user_of(line: files.FileLine) -> str | None:
    return line.entry.id if isinstance(line.entry, UserEntry) else None


def test_lines_of_json_are_users_or_say_what_is_wrong_with_them() -> None:
    lines = list(files.lines_of_ndjson('{"id": "ada"}\n\n{"login": "x"}\nnull\n', Content.USERS))
    assert [(line.number, user_of(line)) for line in lines] == [(1, "ada"), (3, None), (4, None)]
    assert [line.errors[0].code for line in lines[1:]] == ["missing", "model_type"]


def test_cells_of_csv_are_fields_and_empty_ones_are_absent() -> None:
    text = 'id,email,roles,kind\nada,,"admin;editor ",\n"with\nbreak",,,\ngrace,,,robot\n'
    lines = list(files.lines_of_csv(text, Content.USERS))
    assert isinstance(lines[0].entry, UserEntry)
    assert (lines[0].entry.email, lines[0].entry.roles) == (None, ("admin", "editor"))
    assert [error.pointer for line in lines[1:] for error in line.errors] == ["/id", "/kind"]


def test_quiet_hours_are_one_cell_of_csv() -> None:
    text = "id,quiet_hours\nada,22:00-07:00\ngrace,22:00\nalan,22:00-7\nken,22:00-22:00\n"
    first, *wrong = files.lines_of_csv(text, Content.USERS)
    assert isinstance(first.entry, UserEntry)
    assert first.entry.quiet_hours == QuietHours.model_validate({"from": "22:00", "to": "07:00"})
    pointers = [error.pointer for line in wrong for error in line.errors]
    assert pointers == ["/quiet_hours/to", "/quiet_hours/to", "/quiet_hours"]


def test_a_file_that_is_no_csv_is_refused_from_where_it_breaks() -> None:
    lines = list(files.lines_of_csv('id\nada\n"open\n', Content.USERS))
    assert [user_of(line) or line.errors[0].code for line in lines] == ["ada", "csv"]


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


@pytest.mark.parametrize(
    ("given", "company"),
    [
        ({"kind": "team", "id": "23", "company": "3"}, "3"),
        ({"kind": "company", "id": "3"}, "3"),
        ({"kind": "event_team", "id": "456", "company": "3", "parent": "e"}, "3"),
    ],
    ids=["team", "company", "event team"],
)
def test_a_group_belongs_to_a_company_and_a_company_to_itself(given: dict[str, Any], company: str) -> None:
    assert GroupEntry.model_validate(given).company == company


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "team", "id": "23"}, "needs a company"),
        ({"kind": "company", "id": "3", "company": "4"}, "is itself"),
        ({"kind": "event_team", "id": "456", "company": "3"}, "needs a parent: the id of its event"),
        ({"kind": "smart_library_entry", "id": "1", "company": "3"}, "the id of its smart_library"),
        ({"kind": "team", "id": "23", "company": "3", "parent": "e"}, "has no parent"),
        ({"kind": "club", "id": "23", "company": "3"}, "event_team"),
        ({"kind": "team", "id": "a/members/b", "company": "3"}, "slash"),
        ({"kind": "team", "id": "23", "company": "3", "nmae": "x"}, "nmae"),
    ],
    ids=["no company", "other company", "no event", "no library", "parent", "kind", "slash", "misspelt"],
)
def test_a_group_that_stands_nowhere_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GroupEntry.model_validate(wrong)


CHANGE: dict[str, Any] = {
    "type": "tocsin.directory.changed.v1", "id": "0195f3a0-0000-7000-8000-000000000001",
    "at": "2026-11-22T10:00:00Z", "tenant": "acme", "version": 7,
}  # fmt: skip


@pytest.mark.parametrize(
    "about",
    [
        {}, {"user": None}, {"user": {"id": "ada"}, "group": {"kind": "company", "id": "3"}}, {"removed": {}},
        {"removed": {"user": {"id": "ada"}, "member": {"kind": "team", "group": "23", "user": "ada"}}},
        {"user": {"login": "ada"}}, {"user": {"id": "ada"}, "version": -1}, {"user": {"id": "ada"}, "at": "2026-11-22"},
    ],
    ids=["nothing", "null", "two", "nothing removed", "two removed", "no id", "version", "time"],
)  # fmt: skip
def test_a_change_is_about_exactly_one_thing(about: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DirectoryChanged.model_validate({**CHANGE, **about})
