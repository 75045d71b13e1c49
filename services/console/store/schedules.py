"""`schedules`: what waits for its time, and what did."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from services.console.store import statements
from shared.contract import records
from shared.postgres import outbox
from shared.postgres.pool import Pool, tenant_transaction


@dataclass(frozen=True, slots=True)
class Schedule:
    """A notification for later; `local` is the time on the wall in `timezone`."""

    id: int
    notification_id: UUID
    due_at: datetime
    local: datetime
    timezone: str
    job: str | None
    state: str


_GET = """
SELECT id, notification_id, due_at, local, timezone, job, state FROM schedules WHERE tenant = $1 AND id = $2
"""


async def get(pool: Pool, tenant: str, schedule: int) -> Schedule | None:
    """The schedule of an id."""
    row = await statements.row(pool, tenant, _GET, schedule)
    return None if row is None else _schedule(row)


_LIST = """
SELECT id, notification_id, due_at, local, timezone, job, state FROM schedules
WHERE tenant = $1 AND ($2::text IS NULL OR state = $2) AND ($3::bigint IS NULL OR id > $3) ORDER BY id LIMIT $4
"""


async def after(pool: Pool, tenant: str, state: str | None, last: int | None, most: int) -> list[Schedule]:
    """Schedules of a state or all, in the order of their ids, behind `last`."""
    return [_schedule(row) for row in await statements.rows(pool, tenant, _LIST, state, last, most)]


# What is released but not yet taken in is still pending: intake drops it when it finds it cancelled.
_CANCEL = """
UPDATE schedules SET state = 'cancelled' WHERE tenant = $1 AND id = $2 AND state = 'pending'
RETURNING id, notification_id, due_at, local, timezone, job, state
"""


async def cancel(pool: Pool, tenant: str, schedule: int) -> Schedule | None:
    """Cancel a pending schedule and say so; None when there is none that is pending."""
    async with tenant_transaction(pool, tenant) as connection:
        row = await connection.fetchrow(_CANCEL, tenant, schedule)
        if row is None:
            return None
        detail = {"schedule_id": schedule}
        event = records.event("cancelled", tenant, row["notification_id"], datetime.now(UTC), detail)
        await outbox.add(connection, [event])
    return _schedule(row)


def _schedule(row: asyncpg.Record) -> Schedule:
    return Schedule(*row.values())
