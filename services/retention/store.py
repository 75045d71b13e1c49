"""Retention's statements about days: end what is unfinished of one, read what has expired, drop its partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.retention.policy import Expired, Unfinished
from shared.postgres import pool as postgres
from shared.postgres.pool import Connection, Pool

_NOW = "SELECT db_now()"
_MAKE_PARTITIONS = "SELECT make_partitions_of($1)"
_DAYS_AHEAD = "SELECT partition_days_ahead()"
_EXPIRED_DAYS = "SELECT day FROM expired_days() AS day ORDER BY day"
_DROP_PARTITION = "SELECT drop_partition($1, $2)"
_OLDEST_REMOVAL = (
    "SELECT min(remove_after) FROM notifications WHERE expires_on = 'infinity' AND remove_after <= db_now()"
)

_REMOVABLE = """
SELECT tenant, id, cancelled_at IS NULL AS is_told FROM notifications
WHERE expires_on = 'infinity' AND remove_after <= db_now()
ORDER BY remove_after LIMIT $1
"""

_END_UNFINISHED = """
WITH unfinished AS (
  SELECT id, expires_on FROM deliveries WHERE expires_on = $1 AND state IN ('leased', 'retry')
  ORDER BY id LIMIT $2 FOR UPDATE
)
UPDATE deliveries d SET state = 'expired', reason = 'expired', ended_at = db_now(), fence = d.fence + 1,
  lease_owner = NULL, lease_until = NULL, due_at = NULL, released_until = NULL
FROM unfinished u WHERE d.id = u.id AND d.expires_on = u.expires_on
RETURNING d.tenant, d.id, d.recipient, d.endpoint, d.channel, d.subject, d.subject_id
"""

_MEMBERS = "SELECT digest_id, notification_id FROM inbox_items WHERE digest_id = ANY ($1::uuid[])"

_EXPIRED = """
SELECT tenant, id FROM notifications WHERE expires_on = $1 AND id > $2 AND cancelled_at IS NULL ORDER BY id LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Store:
    """Retention's view of the record; every method raises TransientError while PostgreSQL is away or a lock is held."""

    pool: Pool

    async def cutoff_time(self) -> datetime:
        """The database's time."""
        with postgres.transient_when_away():
            now: datetime = await self.pool.fetchval(_NOW)
        return now

    async def make_partitions_of(self, day: date) -> int:
        """Make what is missing of a day's partitions; returns how many were made."""
        with postgres.transient_when_away():
            made: int = await self.pool.fetchval(_MAKE_PARTITIONS, day)
        return made

    async def partition_days_ahead(self) -> int:
        """For how many days after today every table has a partition."""
        with postgres.transient_when_away():
            days: int = await self.pool.fetchval(_DAYS_AHEAD)
        return days

    async def expired_days(self) -> list[date]:
        """The days that have passed and still have a partition, oldest first."""
        with postgres.transient_when_away():
            return [row["day"] for row in await self.pool.fetch(_EXPIRED_DAYS)]

    async def oldest_removal(self) -> datetime | None:
        """When the oldest row that should be gone from the partition 'infinity' should have gone."""
        with postgres.transient_when_away():
            oldest: datetime | None = await self.pool.fetchval(_OLDEST_REMOVAL)
        return oldest

    async def expired(self, day: date, after: UUID, most: int) -> list[Expired]:
        """The next notifications of a day in the order of their ids, without the cancelled ones."""
        with postgres.transient_when_away():
            return [Expired(*row) for row in await self.pool.fetch(_EXPIRED, day, after, most)]

    async def removable(self, most: int) -> list[tuple[Expired, bool]]:
        """Notifications of the partition 'infinity' whose time has come, and whether their end is told."""
        with postgres.transient_when_away():
            rows = await self.pool.fetch(_REMOVABLE, most)
        return [(Expired(row["tenant"], row["id"]), row["is_told"]) for row in rows]

    async def drop_partition(self, table: str, day: date) -> bool:
        """Detach and drop a table's partition of a day that has passed; False when it is gone already."""
        with postgres.transient_when_away():
            dropped: bool = await self.pool.fetchval(_DROP_PARTITION, table, day)
        return dropped


async def end_unfinished(connection: Connection, day: date, most: int) -> list[Unfinished]:
    """End at most so many unfinished deliveries of a day as expired; a sink's late outcome finds another fence."""
    return await with_members(connection, await connection.fetch(_END_UNFINISHED, day, most))


async def with_members(connection: Connection, rows: Sequence[Any]) -> list[Unfinished]:
    """Deliveries with the notifications they were to tell of: their own, or a digest's members that are still there."""
    digests = [row["subject_id"] for row in rows if row["subject"] == "digest"]
    members: dict[UUID, list[UUID]] = {digest: [] for digest in digests}
    for row in await connection.fetch(_MEMBERS, digests) if digests else ():
        members[row["digest_id"]].append(row["notification_id"])
    return [
        Unfinished(
            row["tenant"],
            row["id"],
            row["recipient"],
            row["endpoint"],
            row["channel"],
            row["subject_id"] if row["subject"] == "digest" else None,
            tuple(members.get(row["subject_id"], [row["subject_id"]])),
        )
        for row in rows
    ]
