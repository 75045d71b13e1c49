"""`outbox`: records that their writer did not produce in time."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contract.records import Record
from shared.postgres import outbox
from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class OldRow:
    """A row of the outbox."""

    id: int
    records: Sequence[Record]


_OLD = """
WITH locked AS MATERIALIZED (
  SELECT id, created_at, octet_length(records) AS bytes FROM outbox
  WHERE created_at <= db_now() - make_interval(secs => $1)
  ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
), counted AS (
  SELECT id, created_at, sum(bytes) OVER (ORDER BY created_at, id) - bytes AS before FROM locked
)
SELECT o.id, o.records FROM counted c JOIN outbox o ON o.id = c.id WHERE c.before < $3 ORDER BY c.created_at, c.id
"""


async def older_than(connection: Connection, age_seconds: float, most: int, most_bytes: int) -> list[OldRow]:
    """Lock up to `most` rows of at least an age; at least one however large, and no more once `most_bytes` are read."""
    rows = await connection.fetch(_OLD, age_seconds, most, most_bytes)
    return [OldRow(row["id"], outbox.records_of(row["records"])) for row in rows]


_KEEP = "UPDATE outbox SET records = $2 WHERE id = $1"


async def keep(connection: Connection, row: OldRow) -> None:
    """Leave in a row what it holds now."""
    await connection.execute(_KEEP, row.id, outbox.packed(row.records))
