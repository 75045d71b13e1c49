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
SELECT id, records FROM outbox WHERE created_at <= db_now() - make_interval(secs => $1)
ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""


async def older_than(connection: Connection, age_seconds: float, most: int) -> list[OldRow]:
    """Lock up to `most` rows of at least an age."""
    rows = await connection.fetch(_OLD, age_seconds, most)
    return [OldRow(row["id"], outbox.records_of(row["records"])) for row in rows]
