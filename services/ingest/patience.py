"""How long a door waits for PostgreSQL where it must ask: beyond it the caller is told to come again."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from shared.contract.outcomes import Reason
from shared.errors import TransientError

_ANSWER_SECONDS = 3.0

T = TypeVar("T")


async def in_time(asked: Awaitable[T]) -> T:
    """An answer of PostgreSQL; raises TransientError when it is not there soon."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asked
    except TimeoutError as error:
        raise TransientError("the directory did not answer in time", Reason.POSTGRES_UNAVAILABLE) from error
