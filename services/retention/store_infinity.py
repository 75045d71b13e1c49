"""Statements about the partition 'infinity': its rows go one by one, some time after their `remove_after`."""

from collections.abc import Sequence
from uuid import UUID

from services.retention.policy import Expired, Unfinished
from services.retention.store import with_members
from shared.postgres.pool import Connection

_REMOVABLE = """
SELECT tenant, id, cancelled_at IS NULL AS is_told FROM notifications
WHERE expires_on = 'infinity' AND remove_after <= db_now()
ORDER BY remove_after LIMIT $1 FOR UPDATE SKIP LOCKED
"""

_UNFINISHED_OF = """
UPDATE deliveries SET state = 'expired', reason = 'expired', ended_at = db_now(), fence = fence + 1
WHERE expires_on = 'infinity' AND subject_id = ANY ($1::uuid[]) AND state IN ('leased', 'retry')
RETURNING tenant, id, recipient, endpoint, channel, subject, subject_id
"""

_REMOVE_OF = (
    """
DELETE FROM attempts WHERE expires_on = 'infinity' AND delivery_id IN (
  SELECT id FROM deliveries WHERE expires_on = 'infinity' AND subject_id = ANY ($1::uuid[]))
""",
    """
DELETE FROM dead_letters WHERE expires_on = 'infinity' AND delivery_id IN (
  SELECT id FROM deliveries WHERE expires_on = 'infinity' AND subject_id = ANY ($1::uuid[]))
""",
    "DELETE FROM deliveries WHERE expires_on = 'infinity' AND subject_id = ANY ($1::uuid[])",
    "DELETE FROM timeline WHERE expires_on = 'infinity' AND notification_id = ANY ($1::uuid[])",
    "DELETE FROM inbox_items WHERE expires_on = 'infinity' AND notification_id = ANY ($1::uuid[])",
    "DELETE FROM fanouts WHERE notification_id = ANY ($1::uuid[])",
    "DELETE FROM notifications WHERE expires_on = 'infinity' AND id = ANY ($1::uuid[])",
)


async def removable(connection: Connection, most: int) -> list[tuple[Expired, bool]]:
    """Notifications of the partition 'infinity' whose time has come, and whether their end is told; rows are locked."""
    rows = await connection.fetch(_REMOVABLE, most)
    return [(Expired(row["tenant"], row["id"]), row["is_told"]) for row in rows]


async def unfinished_of(connection: Connection, notifications: Sequence[UUID]) -> list[Unfinished]:
    """End what is unfinished of these notifications of the partition 'infinity'."""
    return await with_members(connection, await connection.fetch(_UNFINISHED_OF, notifications))


async def remove(connection: Connection, notifications: Sequence[UUID]) -> None:
    """Delete these notifications of the partition 'infinity' with all that belongs to them."""
    for statement in _REMOVE_OF:
        await connection.execute(statement, notifications)
