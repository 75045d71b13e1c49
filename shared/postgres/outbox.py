"""Records that a transaction decided on, stored with it and produced after it: the transactional outbox."""

import base64
from collections.abc import Sequence
from typing import Any

import orjson

from shared.contract.records import Record
from shared.postgres.pool import Connection, Pool

_ADD = "INSERT INTO outbox (created_at, records) VALUES (db_now(), $1) RETURNING id"
_FORGET = "DELETE FROM outbox WHERE id = ANY ($1::bigint[])"


def packed(records: Sequence[Record]) -> bytes:
    """Records as `outbox.records` keeps them: UTF-8 JSON, an array of [topic, key, value, headers]."""
    return orjson.dumps(
        [
            (
                record.topic,
                _text(record.key),
                _text(record.value),
                [(name, _text(value)) for name, value in record.headers],
            )
            for record in records
        ]
    )


def records_of(content: bytes) -> list[Record]:
    """The records of an outbox row, as they will be produced."""
    return [
        Record(topic, _bytes(key), _bytes(value), [(name, _bytes(value) or b"") for name, value in headers])
        for topic, key, value, headers in orjson.loads(content)
    ]


async def add(connection: Connection, records: Sequence[Record]) -> int | None:
    """Store records within the caller's transaction as one row; its id, or None when there was nothing to store."""
    if not records:
        return None
    added: int = await connection.fetchval(_ADD, packed(records))
    return added


async def forget(connection: Connection | Pool, outbox_ids: Sequence[int]) -> None:
    """Delete rows whose records Kafka has acknowledged."""
    await connection.execute(_FORGET, list(outbox_ids))


def quoted(text: str) -> str:
    """How a string that a record's JSON holds stands in a row of the outbox."""
    return orjson.dumps(orjson.dumps(text).decode()).decode()[1:-1]


def _text(value: bytes | None) -> Any:
    """Bytes as the text they mostly are, in base64 where they are none."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _bytes(text: Any) -> bytes | None:
    if isinstance(text, dict):
        return base64.b64decode(text["base64"])
    return None if text is None else text.encode()
