"""What could not be understood or was given up, as a row to inspect and re-drive and a record on `dead.letters`."""

import base64
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import orjson

from shared.contract import ids, messages, records
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres import bodies
from shared.postgres.pool import Connection

KEPT_DAYS = 7
"""As long as the standard importances keep a notification: no permanent record is kept of anything (C11).

A large original is kept a day longer, since its letter goes at the end of its last day.
"""

_BURY = """
INSERT INTO dead_letters (tenant, id, expires_on, reason, detail, topic, partition, "offset", delivery_id, key,
                          headers, original, original_ref, at)
SELECT dead.tenant, dead.id, coalesce(dead.expires_on, (db_now() AT TIME ZONE 'UTC')::date + $14::integer), dead.reason,
       dead.detail, dead.topic, dead.partition, dead."offset", dead.delivery_id, dead.key, dead.headers::jsonb,
       dead.original, dead.original_ref, db_now()
FROM unnest($1::text[], $2::uuid[], $3::date[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::bigint[],
            $9::uuid[], $10::bytea[], $11::text[], $12::bytea[], $13::bytea[])
  AS dead (tenant, id, expires_on, reason, detail, topic, partition, "offset", delivery_id, key, headers, original,
           original_ref)
ON CONFLICT (id, expires_on) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter; `position` is (partition, offset) of a record, None for a delivery that was given up.

    `expires_on` is the partition of the delivery, or None: then the letter is kept for KEPT_DAYS.
    """

    tenant: str
    id: UUID
    reason: Reason
    detail: str
    original: Record
    position: tuple[int, int] | None = None
    delivery_id: UUID | None = None
    expires_on: date | None = None

    def record(self) -> Record:
        """The letter on `dead.letters`; an original that is too large is named by its hash."""
        position = None if self.position is None else (self.original.topic, *self.position)
        sent = self.original
        if self.original_ref is not None:
            reference = ("original-ref", self.original_ref.hex().encode())
            sent = Record(sent.topic, sent.key, None, [*sent.headers, reference])
        return records.dead_letter(sent, reason=self.reason, detail=self.detail, position=position)

    @property
    def original_ref(self) -> bytes | None:
        """The SHA-256 under which a large original stands in `bodies`."""
        value = self.original.value or b""
        return bodies.reference(value) if len(value) > bodies.LARGEST_INLINE_BYTES else None


def of_record(original: Record, position: tuple[int, int], tenant: str, reason: Reason, detail: str) -> DeadLetter:
    """A record that cannot be understood; `tenant` is '' where it named none that exists.

    The content belongs to the identity: offsets begin again when a topic is made anew.
    """
    original = dataclasses.replace(original, headers=storable_headers(original.headers))
    content = hashlib.sha256(original.value or b"").hexdigest()
    letter = ids.derived("dead_record", [original.topic, *position, content])
    return DeadLetter(tenant, letter, reason, storable(detail), original, position=position)


def of_delivery(request: messages.DeliveryRequested, reason: Reason, detail: str) -> DeadLetter:
    """A delivery given up after the attempt in `request`; it lives as long as the delivery's row."""
    letter = ids.derived("dead_delivery", [str(request.id), request.attempt])
    return DeadLetter(
        request.tenant, letter, reason, storable(detail), records.delivery(request),
        delivery_id=request.id, expires_on=request.expires_on,
    )  # fmt: skip


def storable_headers(headers: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, bytes]]:
    """A record's headers as they can be stored and sent again; Kafka knows values that are null, and any name."""
    return [(storable(name), value or b"") for name, value in headers]


def storable(text: str) -> str:
    """Without what PostgreSQL's text and jsonb do not take: U+0000 and lone surrogates."""
    return text.encode(errors="replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


async def bury(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Store dead letters within the caller's transaction; a letter already there stays as it is.

    The caller sends their `record()`s, through the outbox or before it commits the offset.
    """
    if not letters:
        return
    for letter in letters:
        if letter.original_ref is not None:
            await bodies.keep(connection, letter.tenant, letter.original.value or b"", KEPT_DAYS + 1)
    rows = [_row(letter) for letter in letters]
    await connection.execute(_BURY, *(list(column) for column in zip(*rows, strict=True)), KEPT_DAYS)


def _row(letter: DeadLetter) -> tuple[object, ...]:
    """The letter's values in the order of _BURY's arrays."""
    partition, offset = letter.position or (None, None)
    headers = [[name, base64.b64encode(value).decode()] for name, value in letter.original.headers]
    return (
        letter.tenant, letter.id, letter.expires_on, letter.reason.value, letter.detail, letter.original.topic,
        partition, offset, letter.delivery_id, letter.original.key, orjson.dumps(headers).decode(),
        letter.original.value if letter.original_ref is None else None, letter.original_ref,
    )  # fmt: skip
