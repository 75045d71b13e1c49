"""The options that Tocsin itself reads, of a communication class and of a notification: what they may say.

All other options are the caller's own and mean nothing here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from shared.contract.outcomes import EmailPlan

LONGEST_WINDOW_SECONDS = 6 * 86_400 - 1
"""A digest collects for less than six days, so that it is sent before its oldest member goes after seven (C2)."""

_ON_AMBIGUOUS = ("retry", "hold")


def mistakes(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The known options that mean nothing, each with what it must be instead."""
    if "email" in options and not _is_one_of(options["email"], tuple(EmailPlan)):
        yield "email", f"must be one of {', '.join(EmailPlan)}"
    if "window_seconds" in options and not is_window(options["window_seconds"]):
        yield "window_seconds", f"must be a whole number from 1 to {LONGEST_WINDOW_SECONDS}"
    if "on_ambiguous" in options and not _is_one_of(options["on_ambiguous"], _ON_AMBIGUOUS):
        yield "on_ambiguous", f"must be one of {', '.join(_ON_AMBIGUOUS)}"


def is_window(value: Any) -> TypeGuard[int]:
    """Whether a value is the length of a digest's window in seconds; true and false are no numbers."""
    return type(value) is int and 0 < value <= LONGEST_WINDOW_SECONDS


def _is_one_of(value: Any, words: tuple[str, ...]) -> bool:
    return isinstance(value, str) and value in words
