"""The answer on notifications.rejected to a record that cannot be accepted."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.ingest.acceptance import Refused
from services.ingest.doors.topic_records import Arrived
from services.ingest.publisher import Publisher
from services.ingest.store import Store
from shared.contract import ids, records, topics
from shared.contract.messages import FieldError, RequestRejected
from shared.contract.records import Record
from shared.errors import PermanentError
from shared.postgres import bodies

_MOST_METADATA_BYTES = 65_536
"""More of a key and headers than this is not repeated in the answer: it has to fit beside the original."""


_LONGEST_SHORTENED = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal of a record: the message, the record's key where it goes with it, and the event of a tenant's."""

    message: RequestRejected
    key: bytes | None
    event: Record | None
    original: bytes

    @property
    def records(self) -> list[Record]:
        """What is to be sent."""
        rejected = Record(topics.REJECTED, self.key, self.message.encoded())
        return [rejected] if self.event is None else [rejected, self.event]

    @property
    def kept(self) -> list[tuple[str, bytes]]:
        """The original with its tenant, where it is to be kept elsewhere since the message only names it."""
        return [] if self.message.original_ref is None else [(self.message.tenant or "", self.original)]


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
    detail = {"reason": refused.reason, "topic": arrived.topic, "partition": arrived.partition,
              "offset": arrived.offset}  # fmt: skip
    event = None if tenant is None else records.event(
        "rejected", tenant, subject, now, detail, arrived.partition, arrived.offset
    )  # fmt: skip
    return Answer(message, None if cut else arrived.key, event, arrived.value or b"")


def shortened(whole: Answer) -> Answer:
    """The answer with its first error alone and the original by reference, for when Kafka does not take it whole."""
    message = whole.message
    first, *others = message.errors
    detail = f"the whole answer is larger than Kafka takes: key, headers and {len(others)} more errors are left out"
    cut = {"pointer": first.pointer[:_LONGEST_SHORTENED], "detail": first.detail[:_LONGEST_SHORTENED]}
    errors = (
        first.model_copy(update=cut),
        FieldError(pointer="", code="answer_shortened", detail=f"{detail}; send less at once"),
    )
    named = None if message.original is None else bodies.reference(whole.original).hex()
    left: dict[str, Any] = {"key": None, "headers": {}, "original": None}
    told = {"errors": errors, "original_ref": message.original_ref or named}
    return replace(whole, message=message.model_copy(update={**left, **told}), key=None)


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
        """Keep what is too large for the topic, then send; an answer that Kafka does not take is sent shortened.

        Raises:
            TransientError: one of both is not possible now; some answers may have been sent all the same.
        """
        try:
            await self._send(answers)
        except PermanentError:
            for each in answers:
                await self._send_alone(each)

    async def _send_alone(self, whole: Answer) -> None:
        try:
            await self._send([whole])
        except PermanentError:
            await self._send([shortened(whole)])

    async def _send(self, answers: Sequence[Answer]) -> None:
        kept = [original for each in answers for original in each.kept]
        if kept:
            await self._store.keep_originals(kept)
        await self._publisher.send_all([record for each in answers for record in each.records])
