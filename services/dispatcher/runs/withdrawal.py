"""A script deletes its notification (C11): what was not sent is cancelled, and it leaves every inbox."""

from datetime import datetime

from services.dispatcher import policy
from services.dispatcher.follow_ups import steps
from services.dispatcher.runs.planning import Run
from shared.contract import records
from shared.contract.importance import STANDARD_OPTIONS, Importance
from shared.contract.records import Record
from shared.postgres.follow_ups import FollowUp, Kind
from shared.postgres.pool import Connection

# Withdrawn, it stays as long as what is made now would.
_RETENTION = """
SELECT n.importance, i.retention FROM notifications n
LEFT JOIN importances i ON i.tenant = n.tenant AND i.name = n.importance
WHERE n.tenant = $1 AND n.id = $2 AND n.expires_on = $3 AND n.cancelled_at IS NULL
"""

# An open action has no end; from now on it has one, so that no record stays for ever.
_CANCEL = """
UPDATE notifications SET cancelled_at = db_now(),
  remove_after = CASE WHEN expires_on = 'infinity'
    THEN coalesce(remove_after, db_now() + make_interval(days => $4)) END
WHERE tenant = $1 AND id = $2 AND expires_on = $3 AND cancelled_at IS NULL
RETURNING cancelled_at
"""

_CANCEL_RUNS = """
UPDATE runs SET state = 'cancelled', reason = 'cancelled', ended_at = db_now()
WHERE tenant = $1 AND notification_id = $2 AND recipient IS NULL AND state = 'waiting' AND kind <> 'completion'
"""

_END_IDENTITY = """
UPDATE identities SET expires_on = (db_now() AT TIME ZONE 'UTC')::date + $3::integer
WHERE tenant = $1 AND id = $2 AND expires_on = 'infinity'
"""


async def withdraw(connection: Connection, run: Run) -> list[Record]:
    """Withdraw the notification of a run within the caller's transaction; what is to be told of it.

    Nobody sees it from then on, and nothing of it begins. What a sink holds already ends as it will.
    """
    key = (run.tenant, run.notification_id, run.expires_on)
    kept = await connection.fetchrow(_RETENTION, *key)
    if kept is None:
        return []
    retention_days: int = kept["retention"] or STANDARD_OPTIONS[Importance(kept["importance"])].retention
    at: datetime | None = await connection.fetchval(_CANCEL, *key, retention_days)
    if at is None:
        return []
    await connection.execute(_CANCEL_RUNS, run.tenant, run.notification_id)
    until = retention_days + policy.IDENTITY_DAYS
    await connection.execute(_END_IDENTITY, run.tenant, run.notification_id, until)
    told = await steps.begin(connection, FollowUp(run.tenant, Kind.CANCELLED, run.notification_id, run.expires_on, at))
    return [records.event("cancelled", run.tenant, run.notification_id, at, {"script": run.name}), *told]
