"""Which items of a batch PostgreSQL refuses: one strange value must not hold up a lane."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from shared.postgres import pool as postgres
from shared.postgres.pool import Connection

T = TypeVar("T")

Refusals: TypeAlias = list[tuple[T, Exception]]
"""Items, and what was said of them."""


async def written(
    connection: Connection, items: Sequence[T], write: Callable[[Sequence[T]], Awaitable[Sequence[Any]]]
) -> tuple[list[Any], Refusals[T]]:
    """The rows of what `write` could write within the caller's transaction, and the items that were refused.

    A batch that is refused is halved until the items at fault stand alone; each part has its own savepoint.

    Raises:
        TransientError: PostgreSQL is away.
    """
    if not items:
        return [], []
    try:
        with postgres.transient_when_away():
            async with connection.transaction():
                return list(await write(items)), []
    except postgres.REFUSED as error:
        if len(items) == 1:
            return [], [(items[0], error)]
    middle = len(items) // 2
    rows, refused = await written(connection, items[:middle], write)
    more_rows, more_refused = await written(connection, items[middle:], write)
    return rows + more_rows, refused + more_refused
