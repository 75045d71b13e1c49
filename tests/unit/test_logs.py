"""What libraries may repeat in the logs."""

import logging

import pytest

from shared.runtime import logs


def _record(text: str, at: float, *arguments: object, exc_info: bool = False) -> logging.LogRecord:
    failure = (ValueError, ValueError("x"), None) if exc_info else None
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, arguments, failure)
    record.created = at
    return record


@pytest.mark.parametrize(
    ("first", "second", "is_said"),
    [
        (_record("broker %s is away", 100, 1), _record("broker %s is away", 109.9, 2), False),
        (_record("broker %s is away", 100, 1), _record("broker %s is away", 110, 1), True),
        (_record("broker %s is away", 100, 1), _record("broker %s is back", 100, 1), True),
        (_record("crashed", 100), _record("crashed", 101, exc_info=True), True),
    ],
    ids=["again", "later", "something else", "a traceback"],
)
def test_a_library_says_the_same_thing_once_in_ten_seconds(
    first: logging.LogRecord,
    second: logging.LogRecord,
    is_said: bool,  # noqa: FBT001 - a table's column
) -> None:
    repeats = logs.Repeats()

    assert repeats.filter(first) is True
    assert repeats.filter(second) is is_said
