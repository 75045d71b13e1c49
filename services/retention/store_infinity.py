"""Statements about the partition 'infinity': its rows go one by one, some time after their `remove_after`."""

from collections.abc import Sequence
from uuid import UUID

from services.retention.policy import Unfinished
from services.retention.store import with_members
from shared.postgres.pool import Connection

_UNFINISHED_OF = """
WITH unfinished AS (
  SELECT id, expires_on FROM deliveries
  WHERE expires_on = 'infinity' AND subject_id = ANY ($1::uuid[]) AND state IN ('leased', 'retry')
  ORDER BY id LIMIT $2 FOR UPDATE
)
UPDATE deliveries d SET state = 'expired', reason = 'expired', ended_at = db_now(), fence = d.fence + 1,
  lease_owner = NULL, lease_until = NULL, due_at = NULL, released_until = NULL
FROM unfinished u WHERE d.id = u.id AND d.expires_on = u.expires_on
RETURNING d.tenant, d.id, d.recipient, d.endpoint, d.channel, d.subject, d.subject_id
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
    # One that has not ended still tells whom it did not reach, and is swept then.
    "DELETE FROM fanouts WHERE notification_id = ANY ($1::uuid[]) AND ended_at IS NOT NULL",
    "DELETE FROM notifications WHERE expires_on = 'infinity' AND id = ANY ($1::uuid[])",
)


async def end_unfinished_of(connection: Connection, notifications: Sequence[UUID], most: int) -> list[Unfinished]:
    """End at most so many unfinished deliveries of these notifications of the partition 'infinity'."""
    return await with_members(connection, await connection.fetch(_UNFINISHED_OF, notifications, most))


async def remove(connection: Connection, notifications: Sequence[UUID]) -> None:
    """Delete these notifications of the partition 'infinity' with all that belongs to them."""
    for statement in _REMOVE_OF:
        await connection.execute(statement, notifications)
