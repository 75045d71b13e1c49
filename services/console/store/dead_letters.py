"""`dead_letters`, and what re-driving them changes: `deliveries` and `outbox`.

Poison that named no tenant lies under ''; row-level security shows it to the only tenant, where there is only one.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.console.store import statements
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres import outbox
from shared.postgres.pool import Connection, Pool, tenant_transaction


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter; `original` is base64, null in lists where it is large, and `redriven` when it was."""

    id: UUID
    reason: str
    detail: str
    topic: str
    partition: int | None
    offset: int | None
    at: datetime
    redriven: datetime | None
    delivery_id: UUID | None
    original: str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters to re-drive: those of these ids, of a reason, or since a moment; the others are None."""

    ids: Sequence[UUID] | None
    reason: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A dead letter about to be re-driven: a delivery to re-open, or a record to produce again."""

    id: UUID
    expires_on: date
    delivery_id: UUID | None
    record: Record | None


_GET = """
SELECT letter.id, letter.reason, letter.detail, letter.topic, letter.partition, letter."offset", letter.at,
  letter.redriven_at, letter.delivery_id, coalesce(letter.original, bodies.content) AS original
FROM dead_letters letter LEFT JOIN bodies ON bodies.tenant = letter.tenant AND bodies.hash = letter.original_ref
WHERE letter.tenant IN ($1, '') AND letter.id = $2
"""


async def get(pool: Pool, tenant: str, letter: UUID) -> DeadLetter | None:
    """The dead letter of an id, with the whole original."""
    row = await statements.row(pool, tenant, _GET, letter)
    return None if row is None else _letter(row)


_LIST = """
SELECT id, reason, detail, topic, partition, "offset", at, redriven_at, delivery_id,
  CASE WHEN length(original) <= $6 THEN original END AS original
FROM dead_letters
WHERE tenant IN ($1, '') AND ($2::text IS NULL OR reason = $2)
  AND ($3::timestamptz IS NULL OR (at, id) > ($3, $4::uuid))
ORDER BY at, id LIMIT $5
"""


async def after(
    pool: Pool, tenant: str, reason: str | None, last: tuple[datetime, UUID] | None, most: int
) -> list[DeadLetter]:
    """Dead letters of a reason or all, oldest first, behind `last`."""
    behind = last or (None, None)
    rows = await statements.rows(pool, tenant, _LIST, reason, *behind, most, LISTED_ORIGINAL_BYTES)
    return [_letter(row) for row in rows]


LISTED_ORIGINAL_BYTES = 16_384

_COUNT = """
SELECT count(*) FROM dead_letters WHERE tenant IN ($1, '') AND redriven_at IS NULL
  AND ($2::uuid[] IS NULL OR id = ANY ($2)) AND ($3::text IS NULL OR reason = $3)
  AND ($4::timestamptz IS NULL OR at >= $4)
"""


async def count(pool: Pool, tenant: str, chosen: Chosen) -> int:
    """How many letters that were not re-driven yet are meant."""
    async with tenant_transaction(pool, tenant) as connection:
        found: int = await connection.fetchval(_COUNT, tenant, chosen.ids, chosen.reason, chosen.since)
    return found


_GONE = """
SELECT letter.id FROM dead_letters letter
WHERE letter.tenant IN ($1, '') AND letter.redriven_at IS NULL AND letter.original_ref IS NOT NULL
  AND NOT EXISTS (SELECT FROM bodies WHERE bodies.tenant = letter.tenant AND bodies.hash = letter.original_ref)
  AND ($2::uuid[] IS NULL OR letter.id = ANY ($2)) AND ($3::text IS NULL OR letter.reason = $3)
  AND ($4::timestamptz IS NULL OR letter.at >= $4)
ORDER BY letter.at, letter.id LIMIT $5
"""


async def gone(pool: Pool, tenant: str, chosen: Chosen, most: int) -> list[UUID]:
    """Up to `most` letters that are meant and of whose large original nothing is left, oldest first."""
    found = await statements.rows(pool, tenant, _GONE, chosen.ids, chosen.reason, chosen.since, most)
    return [row["id"] for row in found]


_LOCK = """
SELECT letter.id, letter.expires_on, letter.delivery_id, letter.topic, letter.key, letter.headers,
  coalesce(letter.original, bodies.content) AS original
FROM dead_letters letter LEFT JOIN bodies ON bodies.tenant = letter.tenant AND bodies.hash = letter.original_ref
WHERE letter.tenant IN ($1, '') AND letter.redriven_at IS NULL
  AND (letter.original_ref IS NULL OR bodies.hash IS NOT NULL)
  AND ($2::uuid[] IS NULL OR letter.id = ANY ($2)) AND ($3::text IS NULL OR letter.reason = $3)
  AND ($4::timestamptz IS NULL OR letter.at >= $4)
ORDER BY letter.at, letter.id LIMIT $5 FOR UPDATE OF letter SKIP LOCKED
"""


async def lock(connection: Connection, tenant: str, chosen: Chosen, most: int) -> list[Waiting]:
    """Lock up to `most` letters that are meant and were not re-driven yet, oldest first; without those `gone`."""
    rows = await connection.fetch(_LOCK, tenant, chosen.ids, chosen.reason, chosen.since, most)
    return [_waiting(row) for row in rows]


_MARK = """
UPDATE dead_letters SET redriven_at = db_now()
WHERE tenant IN ($1, '') AND id = ANY ($2::uuid[]) AND expires_on = ANY ($3::date[])
"""


async def mark(connection: Connection, tenant: str, letters: Sequence[Waiting]) -> None:
    """Note that letters were re-driven."""
    days = list({letter.expires_on for letter in letters})
    await connection.execute(_MARK, tenant, [letter.id for letter in letters], days)


# The attempt is the next one nobody has made: numbers in the trace go on, the delivery keeps its id.
_REOPEN = """
UPDATE deliveries d
SET state = 'retry', reason = $5, ended_at = NULL, released_until = NULL,
  due_at = db_now() + make_interval(secs => again.wait_seconds),
  attempt = 1 + coalesce((SELECT max(a.attempt) FROM attempts a
                          WHERE a.delivery_id = d.id AND a.expires_on = d.expires_on), d.attempt)
FROM unnest($2::uuid[], $3::date[], $4::float8[]) AS again (id, expires_on, wait_seconds)
WHERE d.tenant = $1 AND d.id = again.id AND d.expires_on = again.expires_on AND d.state = 'dead'
"""


# A script's run has its letter under its own id; its attempts begin again.
_REOPEN_RUNS = """
UPDATE runs r
SET state = 'waiting', reason = $4, ended_at = NULL, due_at = db_now() + make_interval(secs => again.wait_seconds),
  attempt = 1
FROM unnest($2::uuid[], $3::float8[]) AS again (id, wait_seconds)
WHERE r.tenant = $1 AND r.id = again.id AND r.state = 'dead'
"""


async def reopen(connection: Connection, tenant: str, letters: Sequence[tuple[Waiting, float]]) -> None:
    """Make dead deliveries and scripts due again, each after its own wait in seconds."""
    if letters:
        ids = [letter.delivery_id for letter, _ in letters]
        days = [letter.expires_on for letter, _ in letters]
        waits = [wait for _, wait in letters]
        await connection.execute(_REOPEN, tenant, ids, days, waits, Reason.REDRIVEN.value)
        await connection.execute(_REOPEN_RUNS, tenant, ids, waits, Reason.REDRIVEN.value)


_PRODUCE = """
INSERT INTO outbox (created_at, records)
SELECT db_now() + make_interval(secs => later.wait_seconds), later.records
FROM unnest($1::bytea[], $2::float8[]) AS later (records, wait_seconds)
"""


async def produce(connection: Connection, letters: Sequence[tuple[Waiting, float]]) -> None:
    """Have records produced again, each after its own wait in seconds: the scheduler takes rows by their age."""
    rows = [(outbox.packed([letter.record]), wait) for letter, wait in letters if letter.record is not None]
    if rows:
        await connection.execute(_PRODUCE, [packed for packed, _ in rows], [wait for _, wait in rows])


def _letter(row: asyncpg.Record) -> DeadLetter:
    original = None if row["original"] is None else base64.b64encode(row["original"]).decode()
    return DeadLetter(
        row["id"], row["reason"], row["detail"], row["topic"], row["partition"], row["offset"], row["at"],
        row["redriven_at"], row["delivery_id"], original,
    )  # fmt: skip


def _waiting(row: asyncpg.Record) -> Waiting:
    headers = [(name, base64.b64decode(value)) for name, value in row["headers"]]
    record = None
    if row["delivery_id"] is None:
        record = Record(row["topic"], row["key"], row["original"], headers)
    return Waiting(row["id"], row["expires_on"], row["delivery_id"], record)
