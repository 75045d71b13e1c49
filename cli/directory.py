"""Users in files: CSV with a header line, or one JSON object a line."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contract import field_errors

_ROLES_BETWEEN = ";"


class UserRow(BaseModel):
    """A user as the directory takes it; a column it does not know is an error, not something dropped silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=255)
    login: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    kind: Literal["user", "system"] = "user"
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: the user to put, or what is wrong with it."""

    line: int
    user: dict[str, Any] | None
    error: str = ""


def rows(text: str, *, as_csv: bool) -> Iterator[Row]:
    """Every line of a file that says something, with its number; a line that is wrong does not end the others."""
    for line, said in _csv(text) if as_csv else _ndjson(text):
        yield said if isinstance(said, Row) else _row(line, said)


def _row(line: int, said: Any) -> Row:
    try:
        user = UserRow.model_validate(said)
    except ValidationError as error:
        found = field_errors.from_pydantic(error.errors(include_url=False, include_input=False))
        return Row(line, None, "; ".join(f"{each.pointer or '/'}: {each.detail}" for each in found))
    return Row(line, user.model_dump(mode="json", exclude_unset=True))


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any] | Row]]:
    """Empty cells are left out; several roles stand in one cell, separated by semicolons."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="(beyond the header)", restval="")
    for record in reader:
        said: dict[str, Any] = {name: value for name, value in record.items() if value}
        if isinstance(roles := said.get("roles"), str):
            said["roles"] = [role.strip() for role in roles.split(_ROLES_BETWEEN) if role.strip()]
        if said:
            yield reader.line_num, said


def _ndjson(text: str) -> Iterator[tuple[int, Any]]:
    for line, content in enumerate(text.splitlines(), 1):
        if content.strip():
            try:
                yield line, json.loads(content)
            except ValueError as error:
                yield line, Row(line, None, f"not JSON: {error}")
