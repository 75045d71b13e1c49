"""Connections of one service, under its own role, and what their failures mean."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson

from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.runtime import lifecycle
from shared.runtime.settings import PostgresSettings

_CLOSE_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
"""A server that takes no connection for this long is away; asyncpg's own limit of a minute outlasts a drain."""

_ACQUIRE_SECONDS = 10.0

TRANSACTION_SECONDS = 30.0
"""The longest that a transaction may take in all; the server ends one that idles as long. Where packets are swallowed,
only this side's clock ends it, and the time-outs of its statements would add up."""

if TYPE_CHECKING:  # asyncpg's classes are generic only in their stubs
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
    Pool = asyncpg.Pool

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its state machine, when the server dies in the middle of an answer
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)

REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.InterfaceError)
"""What PostgreSQL or its client says of values under `transient_when_away`: repeating helps nobody."""


BY_INDEX = {"enable_seqscan": "off"}
"""For who reads single rows of large tables only. A prepared statement keeps the plan of its first minute: made while
today's partition held sixty rows, it reads all of them for each row it looks for, and goes on so at thirty thousand,
where a batch of 200 took a second instead of 6 ms."""


@asynccontextmanager
async def open_pool(
    settings: PostgresSettings, application: str, min_size: int = 1, planning: Mapping[str, str] | None = None
) -> AsyncIterator[Pool]:
    """A pool of at most `postgres_pool_size` connections; jsonb comes and goes as Python values.

    With `min_size` 0 it opens although PostgreSQL does not answer yet, and connects when first used. `planning` are
    settings of PostgreSQL's planner.

    Raises:
        TransientError: PostgreSQL does not answer.
    """
    with transient_when_away():
        pool = await asyncpg.create_pool(
            settings.postgres_dsn.get_secret_value(),
            min_size=min_size,
            max_size=settings.postgres_pool_size,
            timeout=_CONNECT_SECONDS,
            command_timeout=settings.postgres_timeout_seconds,
            init=_prepared,
            reset=_left_as_it_is,
            server_settings={
                "application_name": application,
                "statement_timeout": str(int(settings.postgres_timeout_seconds * 1000)),
                "idle_in_transaction_session_timeout": "30000",
                "timezone": "UTC",
                **(planning or {}),
            },
        )
    try:
        async with lifecycle.bounded(pool.close, _CLOSE_SECONDS, "pool"):
            yield pool
    finally:
        pool.terminate()


async def _prepared(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=_encoded, decoder=orjson.loads, schema="pg_catalog")


async def _left_as_it_is(connection: Connection) -> None:
    """Spare a round trip each time a connection is given back; asyncpg has ended a transaction that was left open.

    Nothing here sets what outlasts its transaction; who does (an advisory lock of the session) resets by itself.
    """


def _encoded(value: Any) -> str:
    return orjson.dumps(value).decode()


@contextmanager
def transient_when_away() -> Iterator[None]:
    """Turn what asyncpg raises while PostgreSQL is away, busy or restarting into TransientError.

    A COMMIT that fails this way may have happened: every transaction under this must bear being run again. What
    asyncpg says of the values it was given (its DataError, an InterfaceError) passes as it is.
    """
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if "no partition of relation" not in str(error):
            raise
        raise TransientError(
            "PostgreSQL lacks the partition of a day to come; is retention running?", Reason.POSTGRES_UNAVAILABLE, 5.0
        ) from error
    except _AWAY as error:
        if isinstance(error, ValueError):
            raise
        raise TransientError(f"PostgreSQL: {type(error).__name__}", Reason.POSTGRES_UNAVAILABLE) from error


@asynccontextmanager
async def transaction(pool: Pool, within_seconds: float | None = TRANSACTION_SECONDS) -> AsyncIterator[Connection]:
    """A connection inside one transaction; `within_seconds` None leaves it to the bounds of its statements.

    Raises:
        TransientError: PostgreSQL is away, or it took too long.
    """
    with transient_when_away():
        async with pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
            with _ended_after(connection, within_seconds):
                async with connection.transaction():
                    yield connection


@contextmanager
def _ended_after(connection: Connection, seconds: float | None) -> Iterator[None]:
    """End the connection with its time: to roll back or to reset it would be to wait for the same server again."""
    if seconds is None:
        yield
        return
    ending = asyncio.get_running_loop().call_later(seconds, connection.terminate)
    try:
        yield
    finally:
        ending.cancel()


@asynccontextmanager
async def tenant_transaction(pool: Pool, tenant: str) -> AsyncIterator[Connection]:
    """A transaction that row-level security confines to one tenant; roles without a tenant see no rows."""
    async with transaction(pool) as connection:
        await connection.execute("SELECT set_config('tocsin.tenant', $1, true)", tenant)
        yield connection


async def reachable(pool: Pool) -> str | None:
    """A readiness check: None when PostgreSQL answers, else a sentence."""
    try:
        with transient_when_away():
            await pool.fetchval("SELECT 1", timeout=1.5)
    except TransientError as error:
        return str(error)
    return None
