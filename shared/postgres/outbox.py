"""Records that a transaction decided on, stored with it and produced after it: the transactional outbox."""

import base64
from collections.abc import Sequence
from typing import Any

from shared.contract.records import Record
from shared.postgres.pool import Connection

Stored = list[dict[str, Any]]
"""What `outbox.records` holds: topic, key, value and headers of each record, bytes as base64."""

_ADD = "INSERT INTO outbox (created_at, records) VALUES (db_now(), $1) RETURNING id"


def stored(records: Sequence[Record]) -> Stored:
    """Records as the outbox keeps them."""
    return [
        {
            "topic": record.topic,
            "key": _text(record.key),
            "value": _text(record.value),
            "headers": [[name, _text(value)] for name, value in record.headers],
        }
        for record in records
    ]


def records_of(rows: Stored) -> list[Record]:
    """The records of an outbox row, as they will be produced."""
    return [
        Record(
            row["topic"],
            _bytes(row["key"]),
            _bytes(row["value"]),
            [(name, _bytes(value) or b"") for name, value in row["headers"]],
        )
        for row in rows
    ]


async def add(connection: Connection, records: Sequence[Record]) -> int | None:
    """Store records within the caller's transaction as one row; its id, or None when there was nothing to store."""
    if not records:
        return None
    added: int = await connection.fetchval(_ADD, stored(records))
    return added


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
