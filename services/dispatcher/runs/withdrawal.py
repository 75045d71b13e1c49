"""A script deletes its notification (C11): what was not sent is cancelled, and it leaves every inbox."""

from datetime import datetime

from services.dispatcher.runs.planning import Run
from shared.contract import records
from shared.contract.records import Record
from shared.postgres.pool import Connection

# An open action has no end; from now on it has one, so that no record stays for ever.
_CANCEL = """
UPDATE notifications SET cancelled_at = db_now(),
  remove_after = CASE WHEN expires_on = 'infinity' THEN coalesce(remove_after, db_now() + interval '7 days') END
WHERE tenant = $1 AND id = $2 AND expires_on = $3 AND cancelled_at IS NULL
RETURNING cancelled_at
"""

_CANCEL_ITEMS = """
UPDATE inbox_items SET version = version + 1,
  remove_after = CASE WHEN expires_on = 'infinity' THEN coalesce(remove_after, db_now() + interval '7 days') END
WHERE tenant = $1 AND notification_id = $2 AND expires_on = $3
RETURNING recipient, hidden
"""

_CANCEL_DELIVERIES = """
UPDATE deliveries SET state = 'cancelled', reason = 'cancelled', ended_at = db_now(), released_until = NULL
WHERE tenant = $1 AND subject = 'notification' AND subject_id = $2 AND expires_on = $3 AND state = 'retry'
"""

_CANCEL_RUNS = """
UPDATE runs SET state = 'cancelled', reason = 'cancelled', ended_at = db_now()
WHERE tenant = $1 AND notification_id = $2 AND state = 'waiting' AND kind <> 'completion'
"""

_END_IDENTITY = """
UPDATE identities SET expires_on = (db_now() AT TIME ZONE 'UTC')::date + 14
WHERE tenant = $1 AND id = $2 AND expires_on = 'infinity'
"""


async def withdraw(connection: Connection, run: Run) -> list[Record]:
    """Withdraw the notification of a run within the caller's transaction; what is to be told of it.

    What a sink holds already ends as it will; what comes to one later ends as cancelled there.
    """
    key = (run.tenant, run.notification_id, run.expires_on)
    at: datetime | None = await connection.fetchval(_CANCEL, *key)
    if at is None:
        return []
    items = await connection.fetch(_CANCEL_ITEMS, *key)
    await connection.execute(_CANCEL_DELIVERIES, *key)
    await connection.execute(_CANCEL_RUNS, run.tenant, run.notification_id)
    await connection.execute(_END_IDENTITY, run.tenant, run.notification_id)
    hints = [records.inbox_changed(run.tenant, item["recipient"], at) for item in items if not item["hidden"]]
    return [records.event("cancelled", run.tenant, run.notification_id, at, {"script": run.name}), *hints]
