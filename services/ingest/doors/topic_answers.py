"""The answer on notifications.rejected to a record that cannot be accepted."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.ingest.acceptance import Refused
from services.ingest.doors.topic_records import Arrived
from services.ingest.publisher import Publisher
from services.ingest.store import Store
from shared.contract import ids, records, topics
from shared.contract.messages import FieldError, RequestRejected
from shared.contract.records import Record
from shared.postgres import bodies

_MOST_METADATA_BYTES = 65_536
"""More of a key and headers than this is not repeated in the answer: it has to fit beside the original."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal of a record: its records to send, and the original to keep elsewhere when it is too large."""

    rejected: Record
    event: Record | None
    original: tuple[str, bytes] | None


def answer(arrived: Arrived, refused: Refused, tenant: str | None, subject: UUID, now: datetime) -> Answer:
    """The answer to a record; `subject` is the notification it would have been, `tenant` None where it named none.

    Ids are derived, so that the answer to a record read twice is recognised as one.
    """
    large = len(arrived.value or b"") > bodies.LARGEST_INLINE_BYTES
    shown, cut = _shown(arrived)
    message = RequestRejected(
        id=ids.event(subject, "rejected", arrived.partition, arrived.offset),
        at=now,
        tenant=tenant,
        topic=arrived.topic,
        partition=arrived.partition,
        offset=arrived.offset,
        key=None if arrived.key is None or cut else _text(arrived.key),
        headers=shown,
        errors=(*refused.errors, *cut),
        original=None if arrived.value is None or large else _text(arrived.value),
        original_ref=bodies.reference(arrived.value or b"").hex() if large else None,
        notification_id=subject if tenant is not None else None,
    )
    rejected = Record(topics.REJECTED, None if cut else arrived.key, message.encoded())
    detail = {"reason": refused.reason, "topic": arrived.topic, "partition": arrived.partition,
              "offset": arrived.offset}  # fmt: skip
    event = None if tenant is None else records.event(
        "rejected", tenant, subject, now, detail, arrived.partition, arrived.offset
    )  # fmt: skip
    return Answer(rejected, event, (tenant or "", arrived.value or b"") if large else None)


def _shown(arrived: Arrived) -> tuple[dict[str, str], Iterable[FieldError]]:
    """The headers as the answer repeats them, or none and an error that says so when they are huge."""
    size = len(arrived.key or b"") + sum(len(name) + len(value) for name, value in arrived.headers)
    if size <= _MOST_METADATA_BYTES:
        return {name: _text(value) for name, value in arrived.headers}, ()
    detail = f"key and headers have {size:,} bytes and are not repeated here; send less than {_MOST_METADATA_BYTES:,}"
    return {}, (FieldError(pointer="", code="headers_too_large", detail=detail),)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Answers:
    """Answers refused records on notifications.rejected."""

    def __init__(self, publisher: Publisher, store: Store) -> None:
        self._publisher = publisher
        self._store = store

    async def send(self, answers: Sequence[Answer]) -> None:
        """Keep what is too large for the topic, then send; raises TransientError while either is not possible."""
        originals = [answer.original for answer in answers if answer.original is not None]
        if originals:
            await self._store.keep_originals(originals)
        await self._publisher.send_all(
            [record for answer in answers for record in (answer.rejected, answer.event) if record is not None]
        )
