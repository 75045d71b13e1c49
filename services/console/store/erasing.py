"""What erasing one person does to the directory and to work that waits; each statement may be run again.

All run within the caller's transaction, with the tenant and the user's id as `$1` and `$2`, and return how many rows
they changed.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from services.console import persons
from services.console.store.schedules import tell_cancelled
from shared import owners
from shared.contract import topics
from shared.contract.records import Record, recipient_key
from shared.postgres import outbox
from shared.postgres.pool import Connection

_SUPPRESSIONS = """
UPDATE suppressions s SET address = NULL, detail = '', delivery_id = NULL
WHERE tenant = $1 AND address IS NOT NULL AND (
  hash IN (SELECT address_hash($1, name) FROM unnest($3::text[]) AS name)
  OR EXISTS (SELECT FROM deliveries d WHERE d.id = s.delivery_id AND d.tenant = $1 AND d.recipient = $2))
"""


async def suppressed_addresses(connection: Connection, tenant: str, user: str, names: Collection[str]) -> int:
    """Take addresses out of suppressions: those of these names, and those that the user's deliveries suppressed."""
    return _changed(await connection.execute(_SUPPRESSIONS, tenant, user, list(names)))


_DIRECTORY = {
    "users": "DELETE FROM users WHERE tenant = $1 AND id = $2",
    "endpoints": "DELETE FROM endpoints WHERE tenant = $1 AND recipient = $2",
    "group_members": "DELETE FROM group_members WHERE tenant = $1 AND user_id = $2",
    "preferences": "DELETE FROM preferences WHERE tenant = $1 AND recipient = $2",
    "sam_tokens": "DELETE FROM sam_tokens WHERE tenant = $1 AND user_id = $2",
}
_IS_ONLY_TENANT = "SELECT count(*) = 1 FROM tenants"


async def directory(connection: Connection, tenant: str, user: str) -> dict[str, int]:
    """Delete the user and all by which the user is reached; from then on nobody finds the person."""
    changed = {
        table: _changed(await connection.execute(statement, tenant, user)) for table, statement in _DIRECTORY.items()
    }
    if changed["users"]:
        keys = [recipient_key(tenant, user)]
        if await connection.fetchval(_IS_ONLY_TENANT):
            keys.append(user.encode())  # of several tenants it might be another's
        await outbox.add(connection, [Record(topics.DIRECTORY_CHANGES, key, None) for key in keys])
    return changed


_SCHEDULES = """
UPDATE schedules SET
  state = CASE WHEN gone.is_alone AND state = 'pending' THEN 'cancelled' ELSE state END,
  notification = CASE WHEN gone.is_alone THEN notification || $4::jsonb ELSE notification END
    || jsonb_build_object('recipients', (notification -> 'recipients') - $2::text)
FROM (
  SELECT id, state AS state_before, jsonb_array_length(notification -> 'recipients') = 1
    AND coalesce(notification -> 'audience', 'null') = 'null' AS is_alone
  FROM schedules WHERE tenant = $1 AND notification -> 'recipients' ? $2::text ORDER BY id LIMIT $3 FOR UPDATE) gone
WHERE tenant = $1 AND schedules.id = gone.id
RETURNING schedules.id, notification_id, state <> state_before AS cancelled
"""
_SCHEDULES_ASKED_FOR = """
UPDATE schedules SET notification = notification || jsonb_build_object('owner', $3::text)
WHERE tenant = $1 AND notification ->> 'owner' = $2
"""
_EMPTIED: dict[str, Any] = {
    "name": persons.ERASED, "description": persons.ERASED, "items": [], "touches": [], "options": {},
    "action_url": None, "mail": None,
}  # fmt: skip


async def schedules(connection: Connection, tenant: str, user: str, most: int) -> int:
    """Take the user out of up to `most` schedules; one for nobody else is cancelled, and says nothing any more."""
    rows = await connection.fetch(_SCHEDULES, tenant, user, most, _EMPTIED)
    await tell_cancelled(connection, tenant, [row for row in rows if row["cancelled"]])
    return len(rows)


async def schedules_asked_for(connection: Connection, tenant: str, user: str) -> int:
    """Forget who asked for schedules."""
    return _changed(await connection.execute(_SCHEDULES_ASKED_FOR, tenant, owners.of_user(user), persons.ERASED))


# Places in the array count, so each stays. Where the walk stands at the user it moves on with the next step.
_FANOUTS = """
UPDATE fanouts SET recipients = array_replace(recipients, $2, $3::text || gen_random_uuid()::text),
  resolved = array_replace(resolved, $2, $3::text || gen_random_uuid()::text),
  member_after = CASE WHEN ended_at IS NULL OR member_after <> $2 THEN member_after END
WHERE tenant = $1
  AND ($2 = ANY (recipients) OR $2 = ANY (resolved) OR (ended_at IS NOT NULL AND member_after = $2))
"""


async def fanouts(connection: Connection, tenant: str, user: str) -> int:
    """Put an id that nobody has into the user's place among recipients that are left to fan-out."""
    return _changed(await connection.execute(_FANOUTS, tenant, user, f"{persons.ERASED}-"))


# Whom it stood at is done; so is whoever comes before.
_FOLLOW_UPS = """
UPDATE follow_ups f SET recipient_after = coalesce(
  (SELECT max(i.recipient) FROM inbox_items i
   WHERE i.tenant = $1 AND i.notification_id = f.notification_id AND i.expires_on = f.expires_on AND i.recipient < $2),
  '')
WHERE f.tenant = $1 AND f.recipient_after = $2
"""
_WINDOWS = "DELETE FROM windows WHERE tenant = $1 AND recipient = $2"
_RUNS = "DELETE FROM runs WHERE tenant = $1 AND recipient = $2 AND state <> 'leased'"


async def waiting(connection: Connection, tenant: str, user: str) -> dict[str, int]:
    """Delete open windows, and runs that are not at work; no follow-up stands at the user any more."""
    return {
        "follow_ups": _changed(await connection.execute(_FOLLOW_UPS, tenant, user)),
        "windows": _changed(await connection.execute(_WINDOWS, tenant, user)),
        "runs": _changed(await connection.execute(_RUNS, tenant, user)),
    }


_DAYS = """
SELECT (db_now() AT TIME ZONE 'UTC')::date + ahead AS day FROM generate_series(-2, partition_days_ahead()) AS ahead
UNION ALL SELECT 'infinity'
"""
_ASKED_FOR = """
UPDATE notifications SET owner = $4
WHERE tenant = $1 AND expires_on = $3 AND owner = $2
"""


async def asked_for(connection: Connection, tenant: str, user: str) -> int:
    """Forget who asked for notifications, a day's partition at a time."""
    owner, changed = owners.of_user(user), 0
    for row in await connection.fetch(_DAYS):
        changed += _changed(await connection.execute(_ASKED_FOR, tenant, owner, row["day"], persons.ERASED))
    return changed


_NOW = "SELECT db_now()"


async def now(connection: Connection) -> datetime:
    """The database's time."""
    told: datetime = await connection.fetchval(_NOW)
    return told


# Within the JSON of an outbox row a record's JSON stands as a string.
_LEFT = """
SELECT 'inbox_items' AS place, count(*) AS rows FROM inbox_items WHERE tenant = $1 AND recipient = $2
UNION ALL SELECT 'digests', count(*) FROM digests WHERE tenant = $1 AND recipient = $2
UNION ALL SELECT 'deliveries', count(*) FROM (
  SELECT notification_id AS id, expires_on FROM inbox_items WHERE tenant = $1 AND recipient = $2
  UNION ALL SELECT id, expires_on FROM digests WHERE tenant = $1 AND recipient = $2) told
  JOIN deliveries d ON d.subject_id = told.id AND d.expires_on = told.expires_on
  WHERE d.tenant = $1 AND d.recipient = $2
UNION ALL SELECT 'runs', count(*) FROM runs WHERE tenant = $1 AND recipient = $2
UNION ALL SELECT 'windows', count(*) FROM windows WHERE tenant = $1 AND recipient = $2
UNION ALL SELECT 'fanouts', count(*) FROM fanouts
  WHERE tenant = $1 AND ($2 = ANY (recipients) OR $2 = ANY (resolved) OR member_after = $2)
UNION ALL SELECT 'follow_ups', count(*) FROM follow_ups WHERE tenant = $1 AND recipient_after = $2
UNION ALL SELECT 'outbox', count(*) FROM outbox
  WHERE position(convert_to($3, 'UTF8') IN records) > 0 AND position(convert_to($4, 'UTF8') IN records) > 0
"""


async def left(connection: Connection, tenant: str, user: str) -> dict[str, int]:
    """How many rows name the user still, by table."""
    packed = (outbox.quoted(user), outbox.quoted(tenant))
    return {row["place"]: row["rows"] for row in await connection.fetch(_LEFT, tenant, user, *packed)}


def _changed(status: str) -> int:
    return int(status.rpartition(" ")[2])
