"""How files of the directory are read, NDJSON or CSV, line by line: plain functions of values."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from shared.contract import field_errors
from shared.contract.directory_entries import GroupEntry, MemberEntry, UserEntry
from shared.contract.messages import FieldError

_LIST_SEPARATOR = ";"


class Content(StrEnum):
    """What a file holds, one in each line."""

    USERS = "users"
    GROUPS = "groups"
    MEMBERS = "members"


Entry = UserEntry | GroupEntry | MemberEntry

_ENTRIES: dict[Content, type[Entry]] = {
    Content.USERS: UserEntry,
    Content.GROUPS: GroupEntry,
    Content.MEMBERS: MemberEntry,
}


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of a file: the entry it holds, or everything that is wrong with it."""

    number: int
    entry: Entry | None
    errors: tuple[FieldError, ...] = ()


def lines_of_ndjson(text: str, content: Content) -> Iterator[FileLine]:
    """The entries of newline-delimited JSON; empty lines are passed over."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _read(number, line, _ENTRIES[content])


def lines_of_csv(text: str, content: Content) -> Iterator[FileLine]:
    """The entries of CSV (RFC 4180) with a header of field names; empty cells are absent, lists are split at `;`.

    Quiet hours are one cell, such as `22:00-07:00`.
    """
    reader = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        for row in reader:
            yield _read(reader.line_num, _of_cells(row), _ENTRIES[content])
    except csv.Error as error:
        wrong = FieldError(pointer="", code="csv", detail=f"the file is no CSV from here on: {error}")
        yield FileLine(reader.line_num, None, (wrong,))


def _of_cells(row: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {name: value for name, value in row.items() if value}
    if isinstance(cells.get("roles"), str):
        cells["roles"] = [role.strip() for role in cells["roles"].split(_LIST_SEPARATOR) if role.strip()]
    if isinstance(cells.get("quiet_hours"), str):
        cells["quiet_hours"] = dict(zip(("from", "to"), cells["quiet_hours"].split("-", 1), strict=False))
    return cells


def _read(number: int, line: str | dict[str, Any], model: type[Entry]) -> FileLine:
    try:
        entry = model.model_validate_json(line) if isinstance(line, str) else model.model_validate(line)
    except ValidationError as error:
        found = field_errors.from_pydantic(error.errors(include_url=False, include_input=False))
        return FileLine(number, None, field_errors.limited(found))
    return FileLine(number, entry)
