"""`erasures`: who is being erased, by a hash, and how far it has come."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Progress:
    """An erasure: `erased` are rows by table; `completed_at` is None while something is left."""

    begun_at: datetime
    completed_at: datetime | None
    erased: Mapping[str, int]


_GET = "SELECT begun_at, completed_at, erased FROM erasures WHERE tenant = $1 AND subject = $2"


async def get(connection: Connection, tenant: str, subject: bytes) -> Progress | None:
    """The erasure of a subject; None where nobody asked for one."""
    row = await connection.fetchrow(_GET, tenant, subject)
    return None if row is None else Progress(*row.values())


_NAMES = """
SELECT array_remove(ARRAY[$2::text] || (SELECT ARRAY[login, email] FROM users WHERE tenant = $1 AND id = $2)
  || (SELECT names FROM erasures WHERE tenant = $1 AND subject = $3), NULL)
"""


async def names(connection: Connection, tenant: str, subject: bytes, user: str) -> set[str]:
    """What a user is known by: id, login and address, those that an erasure under way has deleted included."""
    found: list[str] = await connection.fetchval(_NAMES, tenant, user, subject)
    return set(found)


# Whoever applies what the topic tells holds this as well, so that nobody comes back between the look and the deletion.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 14))"
_BESIDE = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 14))"

_BEGIN = """
INSERT INTO erasures AS known (tenant, subject, begun_at, names) VALUES ($1, $2, db_now(), $3)
ON CONFLICT (tenant, subject) DO UPDATE SET begun_at = db_now(), completed_at = NULL, names = excluded.names
"""


async def begin(connection: Connection, tenant: str, subject: bytes, known_by: Collection[str]) -> None:
    """Begin or go on: nothing that the topic told until now makes the user known again."""
    await connection.execute(_ALONE, tenant)
    await connection.execute(_BEGIN, tenant, subject, list(known_by))


_COUNT = """
UPDATE erasures SET erased = erased || (
  SELECT jsonb_object_agg(key, coalesce((erased ->> key)::bigint, 0) + value::bigint) FROM jsonb_each_text($3))
WHERE tenant = $1 AND subject = $2
"""


async def count(connection: Connection, tenant: str, subject: bytes, erased: Mapping[str, int]) -> None:
    """Add to the rows erased, within the transaction that erases them."""
    some = {table: rows for table, rows in erased.items() if rows}
    if some:
        await connection.execute(_COUNT, tenant, subject, some)


_COMPLETE = """
UPDATE erasures SET completed_at = db_now(), names = NULL WHERE tenant = $1 AND subject = $2 AND names IS NOT NULL
"""


async def complete(connection: Connection, tenant: str, subject: bytes) -> None:
    """Note that nothing is left, and forget the names."""
    await connection.execute(_COMPLETE, tenant, subject)


_BEGUN = "SELECT subject, begun_at FROM erasures WHERE tenant = $1 AND subject = ANY ($2::bytea[])"


async def begun(connection: Connection, tenant: str, subjects: Collection[bytes]) -> dict[bytes, datetime]:
    """Since when those of these subjects are erased who are; no other erasure begins until the transaction ends."""
    if not subjects:
        return {}
    await connection.execute(_BESIDE, tenant)
    rows = await connection.fetch(_BEGUN, tenant, list(subjects))
    return {row["subject"]: row["begun_at"] for row in rows}
