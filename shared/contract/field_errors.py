"""What is wrong with a request, field by field: pydantic's findings as the errors that every door answers with."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.contract.messages import FieldError

MOST_ERRORS = 100
"""More errors of one request are counted, not listed: an answer must not grow with the nonsense it answers."""

_LONGEST_POINTER = 300

_CODES = {"tuple_type": "array_type", "list_type": "array_type", "dict_type": "object_type", "json_invalid": "not_json"}
_DETAILS = {
    "bool_type": "must be true or false",
    "datetime_parsing": "must be a time such as 2026-12-01T09:00:00",
    "datetime_type": "must be a time such as 2026-12-01T09:00:00",
    "dict_type": "must be an object",
    "extra_forbidden": "there is no such field; remove it or correct its spelling",
    "json_invalid": "not JSON: {error}; send a JSON object",
    "missing": "this field is required",
    "list_type": "must be an array",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_too_long": "has more than {max_length:,} characters; shorten it",
    "string_type": "must be a string",
    "timezone_aware": "has no offset; add one, such as Z or +02:00",
    "timezone_naive": "must have no offset; its time zone says it",
    "too_long": "has {actual_length:,} elements; at most {max_length:,} are allowed",
    "too_short": "has {actual_length:,} elements; at least {min_length:,} are needed",
    "tuple_type": "must be an array",
}


def pointer(location: Sequence[str | int]) -> str:
    """A location within a document as an RFC 6901 JSON pointer, cut where names in it are very long."""
    cut = (str(part)[:_LONGEST_POINTER] for part in location)
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in cut)[:_LONGEST_POINTER]


def from_pydantic(errors: Sequence[Mapping[str, Any]], at: str = "") -> list[FieldError]:
    """The errors of a `pydantic.ValidationError`, or of FastAPI's, with pointers that begin with `at`."""
    return [
        FieldError(
            pointer=(at + pointer(error["loc"]))[:_LONGEST_POINTER],
            code=_CODES.get(error["type"], error["type"]),
            detail=_detail(error),
        )
        for error in errors
    ]


def _detail(error: Mapping[str, Any]) -> str:
    """What to mend, in the words of JSON: pydantic's own speak of tuples and inputs."""
    if error["type"] == "string_too_short":
        least = error["ctx"]["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {least:,} characters"
    if error["type"] in _DETAILS:
        return _DETAILS[error["type"]].format(**error.get("ctx", {}))
    message: str = error.get("msg", "").removeprefix("Value error, ")
    return message.replace("Input should ", "must ", 1)


def limited(errors: Sequence[FieldError]) -> tuple[FieldError, ...]:
    """The first errors, and one that counts those left out."""
    if len(errors) <= MOST_ERRORS:
        return tuple(errors)
    left_out = FieldError(pointer="", code="more_errors", detail=f"and {len(errors) - MOST_ERRORS} errors more")
    return (*errors[:MOST_ERRORS], left_out)
