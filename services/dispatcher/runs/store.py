"""The statements of runs: stored, leased, put back, ended."""

from collections.abc import Iterable
from uuid import UUID

from services.dispatcher.runs.planning import Planned, Run, RunKind
from services.dispatcher.store_rows import columns
from shared.contract.outcomes import Reason
from shared.postgres.pool import Connection

_INSERT = """
INSERT INTO runs (tenant, id, kind, name, notification_id, expires_on, recipient, due_at, created_at)
SELECT tenant, id, kind, name, notification_id, expires_on, recipient, due_at, db_now()
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::date[], $7::text[], $8::timestamptz[])
  AS planned (tenant, id, kind, name, notification_id, expires_on, recipient, due_at)
ON CONFLICT (id) DO NOTHING
"""


async def insert(connection: Connection, planned: Iterable[Planned]) -> None:
    """Store runs within the caller's transaction; one that is there already stays as it is."""
    rows = list(planned)
    if rows:
        await connection.execute(_INSERT, *columns(rows))


# Tenants take turns, the one with the fewest under way first: one's ten thousand scripts hold up nobody else's. A step
# along the index finds each tenant that has something to do, and only the run that is chosen is locked. While fan-out
# still writes recipients, nobody could say who they are: the run waits for it. Paused tenants wait too.
_LEASE = """
WITH RECURSIVE named AS (
  (SELECT tenant FROM runs WHERE state = 'waiting' ORDER BY tenant LIMIT 1)
  UNION ALL
  SELECT (SELECT r.tenant FROM runs r WHERE r.state = 'waiting' AND r.tenant > n.tenant ORDER BY r.tenant LIMIT 1)
  FROM named n WHERE n.tenant IS NOT NULL
), turns AS (
  SELECT t.id AS tenant, (SELECT count(*) FROM runs r WHERE r.tenant = t.id AND r.state = 'leased') AS under_way,
    (SELECT min(due_at) FROM runs r WHERE r.tenant = t.id AND r.state = 'waiting') AS due_at
  FROM named n JOIN tenants t ON t.id = n.tenant AND t.state = 'active'
), chosen AS (
  SELECT due.id
  FROM (SELECT tenant FROM turns WHERE due_at <= db_now() ORDER BY under_way, due_at) turn
  CROSS JOIN LATERAL (
    SELECT r.id FROM runs r
    WHERE r.tenant = turn.tenant AND r.state = 'waiting' AND r.due_at <= db_now()
      AND NOT EXISTS (SELECT FROM fanouts f WHERE f.notification_id = r.notification_id AND f.ended_at IS NULL)
    ORDER BY r.due_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED) due
  LIMIT 1)
UPDATE runs r
SET state = 'leased', fence = r.fence + 1, lease_owner = $1, lease_until = db_now() + make_interval(secs => $2)
FROM chosen WHERE r.id = chosen.id
RETURNING r.tenant, r.id, r.kind, r.name, r.notification_id, r.expires_on, r.recipient, r.attempt, r.fence,
  extract(epoch FROM db_now() - r.created_at)::float8 AS age_seconds
"""


async def lease(connection: Connection, owner: str, seconds: float) -> Run | None:
    """Lease the run whose turn it is: of the tenant with the fewest under way the one that is due the longest."""
    row = await connection.fetchrow(_LEASE, owner, seconds)
    if row is None:
        return None
    return Run(
        row["tenant"], row["id"], RunKind(row["kind"]), row["name"], row["notification_id"], row["expires_on"],
        row["recipient"], row["attempt"], row["fence"], row["age_seconds"],
    )  # fmt: skip


# Its process died or froze while it ran. At a start, what the same process held before needs no wait for its lease.
_REOPEN = """
UPDATE runs SET state = 'waiting', reason = 'lease_ran_out', attempt = attempt + 1, fence = fence + 1,
  lease_owner = NULL, lease_until = NULL
WHERE state = 'leased' AND (lease_until <= db_now() OR lease_owner = $1)
"""


async def reopen(connection: Connection, owner: str | None) -> int:
    """Make due again what was leased too long, and all that `owner` held; how many those were."""
    status: str = await connection.execute(_REOPEN, owner)
    return int(status.rpartition(" ")[2])


_PUT_BACK = """
UPDATE runs SET state = 'waiting', reason = $3, due_at = db_now() + make_interval(secs => $4), attempt = attempt + $5,
  lease_owner = NULL, lease_until = NULL
WHERE id = $1 AND fence = $2 AND state = 'leased'
"""


async def put_back(
    connection: Connection, run: Run, reason: Reason | None, seconds: float, *, is_attempt: bool
) -> None:
    """Make a run due again after a wait; nothing happens when its lease was lost."""
    await connection.execute(_PUT_BACK, run.id, run.fence, reason, seconds, int(is_attempt))


_END = """
UPDATE runs SET state = $3, reason = $4, ended_at = db_now(), lease_owner = NULL, lease_until = NULL
WHERE id = $1 AND fence = $2 AND state = 'leased'
RETURNING id
"""


async def end(connection: Connection, run: Run, state: str, reason: Reason | None) -> bool:
    """End a run as done, dead or cancelled; False when its lease was lost: then somebody else does it again."""
    found: UUID | None = await connection.fetchval(_END, run.id, run.fence, state, reason)
    return found is not None


_TELL = """
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
SELECT $1, $2, $3, db_now(), $4, $5
WHERE EXISTS (SELECT FROM notifications WHERE tenant = $1 AND id = $2 AND expires_on = $3)
"""


async def tell(connection: Connection, run: Run, event: str, **detail: str | int | None) -> None:
    """Add a line to the notification's story, as long as there is one."""
    named = {run.kind.value: run.name, "recipient": run.recipient, "attempt": run.attempt, **detail}
    told = {name: value for name, value in named.items() if value is not None}
    await connection.execute(_TELL, run.tenant, run.notification_id, run.expires_on, event, told)
