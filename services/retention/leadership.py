"""One replica leads: it holds an advisory lock, which PostgreSQL frees with the connection that took it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.postgres import pool as postgres
from shared.postgres.pool import Connection, Pool

_LEADER = 7_461_003
"""The advisory lock of retention's leader."""

_TRY = "SELECT pg_try_advisory_lock($1)"
_CONFIRM = "SELECT 1"


class Leadership:
    """The lock while it is held. Two leaders for a moment do no harm: every step bears being done twice."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def confirm(self) -> None:
        """Make sure that the lock's connection is there; raises TransientError when it is not, and so the lock."""
        with postgres.transient_when_away():
            await self._connection.execute(_CONFIRM)


@asynccontextmanager
async def sought(pool: Pool) -> AsyncIterator[Leadership | None]:
    """The leadership, or None while another replica has it; raises TransientError while PostgreSQL is away."""
    with postgres.transient_when_away():
        async with pool.acquire() as connection:
            if not await connection.fetchval(_TRY, _LEADER):
                yield None
                return
            try:
                yield Leadership(connection)
            finally:
                if not connection.is_closed():
                    await connection.reset()
