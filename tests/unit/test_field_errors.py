"""What is wrong with a field is said in the words of JSON and of the wire, never in those of the implementation."""

import json

import pytest
from pydantic import ValidationError

from shared.contract import field_errors
from shared.contract.requests import NotificationRequest

VALID = {"source": "billing", "name": "Enquiry", "description": "Please answer", "recipients": ["ada"]}


def told(**fields: object) -> list[tuple[str, str, str]]:
    with pytest.raises(ValidationError) as refused:
        NotificationRequest.model_validate_json(json.dumps({**VALID, **fields}), strict=True)
    found = field_errors.from_pydantic(refused.value.errors())
    return [(error.pointer, error.code, error.detail) for error in found]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"recipients": "ada"}, ("/recipients", "array_type", "must be an array")),
        ({"options": []}, ("/options", "object_type", "must be an object")),
        ({"name": 3}, ("/name", "string_type", "must be a string")),
        ({"requires_action": "yes"}, ("/requires_action", "bool_type", "must be true or false")),
        ({"name": ""}, ("/name", "string_too_short", "must not be empty")),
        (
            {"name": "a\u0085b"},
            ("/name", "value_error", "contains a control character or line break; use one line of plain text"),
        ),
        ({"channels": []}, ("/channels", "too_short", "has 0 elements; at least 1 are needed")),
        ({"name": "n" * 256}, ("/name", "string_too_long", "has more than 255 characters; shorten it")),
        (
            {"recipients": [f"user-{number}" for number in range(10_001)]},
            ("/recipients", "too_long", "has 10,001 elements; at most 10,000 are allowed"),
        ),
        (
            {"expires_at": "2030-01-01T00:00:00"},
            ("/expires_at", "timezone_aware", "has no offset; add one, such as Z or +02:00"),
        ),
        ({"expires_at": 1}, ("/expires_at", "datetime_type", "must be a time such as 2026-12-01T09:00:00")),
        (
            {"importance": "alarm"},
            ("/importance", "enum", "must be 'default', 'info', 'success', 'warning', 'danger' or 'primary'"),
        ),
    ],
    ids=[
        "text for array",
        "array for object",
        "number for text",
        "text for boolean",
        "empty",
        "control character",
        "none",
        "long",
        "many",
        "naive",
        "number for time",
        "enum",
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_wire(fields: dict[str, object], expected: tuple[str, str, str]) -> None:
    assert told(**fields) == [expected]


def test_many_mistakes_are_counted_rather_than_listed() -> None:
    found = field_errors.from_pydantic([{"loc": (number,), "type": "missing"} for number in range(150)])
    listed = field_errors.limited(found)
    assert len(listed) == field_errors.MOST_ERRORS + 1
    assert listed[-1].detail == "and 50 errors more"
