"""Lists over HTTP: `{"items": […], "next": cursor | null}`, at most 100 items a page."""

import base64
import json
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.contract.messages import FieldError
from shared.runtime.problems import ProblemError

LONGEST_CURSOR = 2_000

Limit = Annotated[int, Query(ge=1, le=100, description="Most items of this page.")]
Cursor = Annotated[str | None, Query(max_length=LONGEST_CURSOR, description="`next` of the page before.")]

T = TypeVar("T")
K = TypeVar("K")


class Page(BaseModel, Generic[T]):
    """Some items in order; `next` asks for those after them, null says that there are none."""

    items: list[T]
    next: str | None


def page(found: Sequence[T], limit: int, key: Callable[[T], Sequence[Any]]) -> Page[T]:
    """A page of what was found when one item more than `limit` was asked for; `key` is where an item stands."""
    items = list(found[:limit])
    return Page(items=items, next=encoded(key(items[-1])) if len(found) > limit else None)


def encoded(key: Sequence[Any]) -> str:
    """Where an item stands in its list, as opaque text; of values that JSON or `str` can tell."""
    text = json.dumps(list(key), default=str, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decoded(cursor: str | None, shape: TypeAdapter[K]) -> K | None:
    """Where the page before ended, checked to be of a shape; None at the first page.

    Raises:
        ProblemError: 422, the cursor is none of this list's.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return shape.validate_json(text)
    except (ValueError, ValidationError) as error:
        detail = "not a cursor of this list; take `next` of the page before, or leave it out for the first page"
        wrong = FieldError(pointer="/cursor", code="invalid_cursor", detail=detail)
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, [wrong]) from error
