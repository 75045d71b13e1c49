"""Statements about what intake meant for the recipients of a day or of some notifications, and which of it began."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.retention.policy import Planned
from shared.postgres.pool import Connection

# No order and no limit, and no other choice among the items: they are read whole through a cursor, so that nothing is
# sorted and no step passes more rows than it returns.
_OF_DAY = """
SELECT i.tenant, i.recipient, i.notification_id, i.push_endpoints,
  i.email_plan = 'immediate' OR (i.email_plan = 'digest' AND i.digest_id IS NULL AND i.email_skipped IS NULL)
    AS is_mail_due,
  n.cancelled_at IS NOT NULL AS is_cancelled
FROM inbox_items i LEFT JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on
WHERE i.expires_on = $1
"""

_OF_NOTIFICATIONS = _OF_DAY + "AND i.notification_id = ANY ($2::uuid[])"


async def of_day(connection: Connection, day: date, batch: int) -> AsyncIterator[list[Planned]]:
    """The items of a day in batches, within the caller's transaction."""
    async for planned in _read(await connection.cursor(_OF_DAY, day), batch):
        yield planned


async def of_notifications(
    connection: Connection, notifications: Sequence[UUID], batch: int
) -> AsyncIterator[list[Planned]]:
    """The items of notifications of the partition 'infinity' in batches, within the caller's transaction."""
    async for planned in _read(await connection.cursor(_OF_NOTIFICATIONS, date.max, notifications), batch):
        yield planned


async def _read(cursor: Any, batch: int) -> AsyncIterator[list[Planned]]:
    while rows := await cursor.fetch(batch):
        yield [Planned(*row) for row in rows]


_BEGUN = "SELECT id FROM deliveries WHERE expires_on = $1 AND id = ANY ($2::uuid[])"


async def begun(connection: Connection, day: date, deliveries: Sequence[UUID]) -> set[UUID]:
    """Which of these deliveries of a day (`date.max`: of the partition 'infinity') have a row."""
    return {row["id"] for row in await connection.fetch(_BEGUN, day, deliveries)}
