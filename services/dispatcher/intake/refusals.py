"""Records of an accepted topic that go no further: what cannot be read, and what contradicts its own identity."""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.dispatcher.intake.batches import Accepted, RawRecord
from shared.contract import codec, ids, records, topics
from shared.contract.messages import FieldError, NotificationAccepted, RequestRejected
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres import bodies, dead_letters
from shared.postgres.dead_letters import DeadLetter

_CONFLICT = FieldError(
    pointer="/idempotency_key",
    code=Reason.KEY_CONFLICT,
    detail="another notification with a different body was asked for with this key; use a new key for a new body",
)


def read(batch: Iterable[RawRecord], topic: str) -> tuple[list[Accepted], list[DeadLetter]]:
    """What a batch of `topic` (the contract's name) says, and letters for what says nothing understandable."""
    accepted: list[Accepted] = []
    poison: list[DeadLetter] = []
    for raw in batch:
        try:
            message = codec.decoded(raw.value, NotificationAccepted)
            bytes.fromhex(message.payload_hash or "")
            accepted.append(Accepted(message, raw))
        except ValueError as error:
            poison.append(letter(raw, topic, Reason.UNDECODABLE, str(error)))
    return accepted, poison


def letter(raw: RawRecord, topic: str, reason: Reason, detail: str) -> DeadLetter:
    """The dead letter of a record."""
    original = Record(topic, raw.key, raw.value, raw.headers)
    return dead_letters.of_record(original, (raw.partition, raw.offset), "", reason, detail)


def unwritable(accepted: Accepted, topic: str, said: Exception) -> DeadLetter:
    """The letter of a notification whose values PostgreSQL refuses; its tenant sees it, if that can be written."""
    raw, tenant = accepted.raw, accepted.message.tenant
    original = Record(topic, raw.key, raw.value, raw.headers)
    named = tenant if dead_letters.storable(tenant) == tenant else ""
    detail = f"the record refuses it: {type(said).__name__}"
    return dead_letters.of_record(original, (raw.partition, raw.offset), named, Reason.INVALID, detail)


def unwritable_event(accepted: Accepted, now: datetime) -> Record:
    """What tells others that it was rejected, under an id that a repeat has again."""
    message = accepted.message
    detail = {"reason": Reason.INVALID, "source": message.source}
    return records.event("rejected", message.tenant, message.notification_id, now, detail, message.payload_hash or "")


def oversized(conflicts: Sequence[Accepted]) -> list[tuple[str, bytes]]:
    """(tenant, content) of those originals that must stand in `bodies`."""
    return [
        (accepted.message.tenant, accepted.raw.value)
        for accepted in conflicts
        if len(accepted.raw.value) > bodies.LARGEST_INLINE_BYTES and records.ORIGIN not in dict(accepted.raw.headers)
    ]


def conflict_records(conflicts: Iterable[Accepted], topic: str, now: datetime) -> Iterable[Record]:
    """For each conflict the rejected request and the event, under ids that a repeat has again."""
    for accepted in conflicts:
        message = accepted.message
        detail = {"reason": Reason.KEY_CONFLICT, "source": message.source}
        yield _rejected(accepted, topic, now)
        yield records.event(
            "rejected", message.tenant, message.notification_id, now, detail, message.payload_hash or ""
        )


def _rejected(accepted: Accepted, topic: str, now: datetime) -> Record:
    raw = accepted.raw
    return Record(
        topics.REJECTED, raw.key, (_of_request(accepted, now) or _as_accepted(accepted, topic, now)).encoded()
    )


def _of_request(accepted: Accepted, now: datetime) -> RequestRejected | None:
    """The answer to who wrote the request to the topic: its position, where its bytes are still to be read."""
    origin = dict(accepted.raw.headers).get(records.ORIGIN)
    if origin is None:
        return None
    partition, offset = map(int, origin.split(b":"))
    message = accepted.message
    return RequestRejected(
        id=_id_of(accepted), at=now, tenant=message.tenant, topic=topics.REQUESTS, partition=partition, offset=offset,
        key=None, headers={}, errors=(_CONFLICT,), original=None, notification_id=message.notification_id,
    )  # fmt: skip


def _as_accepted(accepted: Accepted, topic: str, now: datetime) -> RequestRejected:
    """The answer to a request over HTTP, whose caller has gone: what had been accepted of it."""
    message, raw = accepted.message, accepted.raw
    large = len(raw.value) > bodies.LARGEST_INLINE_BYTES
    return RequestRejected(
        id=_id_of(accepted),
        at=now,
        tenant=message.tenant,
        topic=topic,
        partition=raw.partition,
        offset=raw.offset,
        key=None if raw.key is None else base64.b64encode(raw.key).decode(),
        headers={name: base64.b64encode(value).decode() for name, value in dead_letters.storable_headers(raw.headers)},
        errors=(_CONFLICT,),
        original=None if large else base64.b64encode(raw.value).decode(),
        original_ref=bodies.reference(raw.value).hex() if large else None,
        notification_id=message.notification_id,
    )


def _id_of(accepted: Accepted) -> UUID:
    return ids.event(accepted.message.notification_id, "request_rejected", accepted.message.payload_hash or "")
