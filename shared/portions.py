"""A sequence cut into portions: what is sent, or written, at once has a bound by its weight and by its count."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def portions(
    items: Iterable[T], weight: Callable[[T], int], heaviest: int, longest: int | None = None
) -> Iterator[list[T]]:
    """Items in their order, in portions of at most `heaviest` in all and `longest` of them.

    An item that weighs more than `heaviest` has a portion of its own.
    """
    portion: list[T] = []
    held = 0
    for item in items:
        more = weight(item)
        if portion and (len(portion) == longest or held + more > heaviest):
            yield portion
            portion, held = [], 0
        portion.append(item)
        held += more
    if portion:
        yield portion
