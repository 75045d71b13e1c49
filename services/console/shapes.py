"""What the console takes and answers where several resources share it: text fields, ids, times, and its refusals."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Path
from pydantic import AfterValidator, StringConstraints, TypeAdapter

from shared.contract.messages import FieldError
from shared.contract.requests import ONE_LINE, Id, Moment
from shared.runtime import pages
from shared.runtime.problems import ProblemError

MAX_OPTIONS_BYTES = 16_384

_LAST_ID: TypeAdapter[tuple[Id]] = TypeAdapter(tuple[Id])

T = TypeVar("T")

PathId = Annotated[Id, Path()]
"""An id within the address."""

ShortLine = Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE]
LongLine = Annotated[str, StringConstraints(min_length=1, max_length=255), ONE_LINE]

Address = Annotated[
    str,
    StringConstraints(min_length=3, max_length=320, pattern=r"^[^\s@\x00-\x1f\x7f-\x9f]+@[^\s@\x00-\x1f\x7f-\x9f]+$"),
    ONE_LINE,
]
"""A mail address."""


def _to_come(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("has passed already")
    return moment


MomentToCome = Annotated[Moment, AfterValidator(_to_come)]
"""When something shall end."""


def not_found(what: str) -> ProblemError:
    """404: there is none, or it is another tenant's; the answer does not say which."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no such {what}")


def found(resource: T | None, what: str) -> T:
    """What a store found, or 404 where it found nothing."""
    if resource is None:
        raise not_found(what)
    return resource


def last_id(cursor: pages.Cursor) -> str | None:
    """The last id of the page before, in a list ordered by one id; None at the first page, 422 if it is none."""
    return last_of(cursor, _LAST_ID)


def last_of(cursor: pages.Cursor, shape: TypeAdapter[tuple[T]]) -> T | None:
    """The same of a list that is ordered by one value of another shape."""
    last = pages.decoded(cursor, shape)
    return None if last is None else last[0]


def conflict(detail: str) -> ProblemError:
    """409: what is there does not allow it."""
    return ProblemError(HTTPStatus.CONFLICT, detail)


def unprocessable(pointer: str, code: str, detail: str) -> ProblemError:
    """422 with one error."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, detail, [FieldError(pointer=pointer, code=code, detail=detail)]
    )


def storable(value: Any) -> Any:
    """A JSON value that PostgreSQL can store and that is not too large; raises ValueError otherwise."""
    try:
        text = orjson.dumps(value)
    except TypeError as error:
        raise ValueError("contains text that is not valid Unicode, or numbers out of range") from error
    if b"\\u0000" in text.replace(b"\\\\", b""):  # behind a backslash of the text's own it is no escape
        raise ValueError("contains a NUL character, which cannot be stored; remove it")
    if len(text) > MAX_OPTIONS_BYTES:
        raise ValueError(f"is larger than {MAX_OPTIONS_BYTES} bytes of JSON; make it smaller")
    return value


JsonValue = Annotated[Any, AfterValidator(storable)]
JsonObject = Annotated[dict[str, Any], AfterValidator(storable)]


def columns(rows: list[Mapping[str, Any]], *names: str) -> list[list[Any]]:
    """Rows turned into the arrays that `unnest` takes."""
    return [[row[name] for row in rows] for name in names]
