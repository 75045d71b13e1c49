"""What is wrong with a request, field by field: pydantic's findings as the errors that every door answers with."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.contract.messages import FieldError

MOST_ERRORS = 100
"""More errors of one request are counted, not listed: an answer must not grow with the nonsense it answers."""

_LONGEST_POINTER = 300

_DETAILS = {
    "extra_forbidden": "there is no such field; remove it or correct its spelling",
    "missing": "this field is required",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def pointer(location: Sequence[str | int]) -> str:
    """A location within a document as an RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def from_pydantic(errors: Sequence[Mapping[str, Any]], at: str = "") -> list[FieldError]:
    """The errors of a `pydantic.ValidationError`, or of FastAPI's, with pointers that begin with `at`."""
    return [
        FieldError(
            pointer=(at + pointer(error["loc"]))[:_LONGEST_POINTER],
            code=error["type"],
            detail=_DETAILS.get(error["type"], error.get("msg", "").removeprefix("Value error, ")),
        )
        for error in errors
    ]


def limited(errors: Sequence[FieldError]) -> tuple[FieldError, ...]:
    """The first errors, and one that counts those left out."""
    if len(errors) <= MOST_ERRORS:
        return tuple(errors)
    left_out = FieldError(pointer="", code="more_errors", detail=f"and {len(errors) - MOST_ERRORS} errors more")
    return (*errors[:MOST_ERRORS], left_out)
