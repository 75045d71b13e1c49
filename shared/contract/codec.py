"""Bytes of a topic to a message of the contract, or a reason why not."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.contract import messages

_MESSAGES: TypeAdapter[messages.AnyMessage] = TypeAdapter(messages.AnyMessage)

M = TypeVar("M", bound=messages.Message)


class UndecodableError(ValueError):
    """A record is not the message its topic promises; the text says what is wrong with it."""


def decoded(value: bytes | None, expected: type[M]) -> M:
    """The message of a record.

    Raises:
        UndecodableError: no value, not JSON, an unknown type, a missing field, or another message than expected.
    """
    if value is None:
        raise UndecodableError("the record has no value")
    try:
        message = _MESSAGES.validate_json(value)
    except ValidationError as error:
        raise undecodable(error) from error
    if not isinstance(message, expected):
        raise UndecodableError(f"expected {expected.__name__}, found {type(message).__name__}")
    return message


def undecodable(error: ValidationError) -> UndecodableError:
    """What a record lacks to be a message, from what its model says: the first place and what is wrong there."""
    first = error.errors(include_url=False, include_input=False)[0]
    return UndecodableError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
