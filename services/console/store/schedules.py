"""`schedules`: what waits for its time, and what did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from services.console.store import statements
from shared.contract import records
from shared.postgres import outbox
from shared.postgres.pool import Connection, Pool, tenant_transaction


@dataclass(frozen=True, slots=True)
class Schedule:
    """A notification for later; `local` is the time on the wall in `timezone`, `owner` who asked for it."""

    id: int
    notification_id: UUID
    due_at: datetime
    local: datetime
    timezone: str
    job: str | None
    state: str
    owner: str | None


_GET = """
SELECT id, notification_id, due_at, local, timezone, job, state, owner FROM schedules WHERE tenant = $1 AND id = $2
"""


async def get(pool: Pool, tenant: str, schedule: int) -> Schedule | None:
    """The schedule of an id."""
    row = await statements.row(pool, tenant, _GET, schedule)
    return None if row is None else _schedule(row)


_LIST = """
SELECT id, notification_id, due_at, local, timezone, job, state, owner FROM schedules
WHERE tenant = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR owner = $3)
  AND ($4::bigint IS NULL OR id > $4) ORDER BY id LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which schedules: of a state, of an owner; None is any."""

    state: str | None
    owner: str | None


async def after(pool: Pool, tenant: str, chosen: Chosen, last: int | None, most: int) -> list[Schedule]:
    """Schedules in the order of their ids, behind `last`."""
    values = (chosen.state, chosen.owner, last, most)
    return [_schedule(row) for row in await statements.rows(pool, tenant, _LIST, *values)]


# What is released but not yet taken in is still pending: intake drops it when it finds it cancelled.
_CANCEL = """
UPDATE schedules SET state = 'cancelled' WHERE tenant = $1 AND id = $2 AND state = 'pending'
RETURNING id, notification_id, due_at, local, timezone, job, state, owner
"""


async def cancel(pool: Pool, tenant: str, schedule: int) -> Schedule | None:
    """Cancel a pending schedule and say so; None when there is none that is pending."""
    async with tenant_transaction(pool, tenant) as connection:
        row = await connection.fetchrow(_CANCEL, tenant, schedule)
        if row is None:
            return None
        await tell_cancelled(connection, tenant, [row])
    return _schedule(row)


_CANCEL_OWNED = """
WITH owned AS (
  SELECT id FROM schedules WHERE tenant = $1 AND owner = $2 AND state = 'pending' AND id > $3
  ORDER BY id LIMIT $4 FOR UPDATE
)
UPDATE schedules SET state = 'cancelled' FROM owned WHERE schedules.id = owned.id AND schedules.tenant = $1
RETURNING schedules.id, schedules.notification_id
"""
_BATCH = 500


async def cancel_owned(pool: Pool, tenant: str, owner: str) -> int:
    """Cancel an owner's pending schedules, a batch in a transaction, and say so of each; how many those were.

    Raises:
        TransientError: PostgreSQL is away; running it again cancels the rest.
    """
    count, last = 0, -1
    while True:
        async with tenant_transaction(pool, tenant) as connection:
            rows = await connection.fetch(_CANCEL_OWNED, tenant, owner, last, _BATCH)
            await tell_cancelled(connection, tenant, rows)
        count += len(rows)
        if len(rows) < _BATCH:
            return count
        last = max(row["id"] for row in rows)


async def tell_cancelled(connection: Connection, tenant: str, rows: Sequence[asyncpg.Record]) -> None:
    """Say within the caller's transaction that schedules (`id`, `notification_id`) were cancelled."""
    now = datetime.now(UTC)
    await outbox.add(
        connection,
        [records.event("cancelled", tenant, row["notification_id"], now, {"schedule_id": row["id"]}) for row in rows],
    )


def _schedule(row: asyncpg.Record) -> Schedule:
    return Schedule(*row.values())
