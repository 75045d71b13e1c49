"""What may be said about a user, and how a file of users is read: plain functions of values."""

import csv
import functools
import io
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import email_validator
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from services.console.shapes import LongLine, ShortLine
from services.console.store.users import User
from shared.contract import field_errors
from shared.contract.messages import FieldError
from shared.contract.requests import ONE_LINE, Id, RequestModel

MAX_ROLES = 100
_LIST_SEPARATOR = ";"


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("is no IANA time zone; use a name such as Europe/Berlin")
    return name


def _address(text: str) -> str:
    """An address that mail can be sent to, as the relay takes it: the domain in ASCII. Names of intranets are fine."""
    try:
        found = email_validator.validate_email(
            text, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False, test_environment=True
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is no mail address: {error}") from error
    return found.ascii_email or found.normalized


class UserFields(RequestModel):
    """A user as a tenant describes it."""

    id: Id | None = None
    login: LongLine | None = None
    email: Annotated[str, StringConstraints(max_length=254), ONE_LINE, AfterValidator(_address)] | None = None
    first_name: LongLine | None = None
    last_name: LongLine | None = None
    locale: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$", max_length=35)] | None
    ) = None
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    kind: Literal["user", "system"] = "user"
    roles: Annotated[tuple[ShortLine, ...], Field(max_length=MAX_ROLES)] = ()

    def user(self, user_id: str) -> User:
        """The user these fields describe."""
        return User(
            user_id, self.login, self.email, self.first_name, self.last_name, self.locale, self.timezone, self.kind,
            self.roles,
        )  # fmt: skip


class ImportedUser(UserFields):
    """A user in a file: the id stands in the line."""

    id: Id


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of a file: the user it describes, or everything that is wrong with it."""

    number: int
    user: User | None
    errors: tuple[FieldError, ...] = ()


def lines_of_ndjson(text: str) -> Iterator[FileLine]:
    """The users of newline-delimited JSON; empty lines are passed over."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _read(number, line)


def lines_of_csv(text: str) -> Iterator[FileLine]:
    """The users of CSV (RFC 4180) with a header of field names; empty cells are absent, roles are split at `;`."""
    reader = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        for row in reader:
            yield _read(reader.line_num, _of_cells(row))
    except csv.Error as error:
        wrong = FieldError(pointer="", code="csv", detail=f"the file is no CSV from here on: {error}")
        yield FileLine(reader.line_num, None, (wrong,))


def _of_cells(row: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {name: value for name, value in row.items() if value}
    if isinstance(cells.get("roles"), str):
        cells["roles"] = [role.strip() for role in cells["roles"].split(_LIST_SEPARATOR) if role.strip()]
    return cells


def _read(number: int, line: str | dict[str, Any]) -> FileLine:
    try:
        model = ImportedUser.model_validate_json(line) if isinstance(line, str) else ImportedUser.model_validate(line)
    except ValidationError as error:
        found = field_errors.from_pydantic(error.errors(include_url=False, include_input=False))
        return FileLine(number, None, field_errors.limited(found))
    return FileLine(number, model.user(model.id))
