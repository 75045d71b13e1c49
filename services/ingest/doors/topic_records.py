"""What a record on notifications.requests brings, and what it asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from services.ingest import reading
from services.ingest.acceptance import Asked, Refused
from services.ingest.dialects import desktop_assistant
from shared import owners
from shared.contract import ids, topics
from shared.contract.messages import FieldError
from shared.contract.outcomes import Reason

_ATTRIBUTE_PREFIX = "ce_"
_KEY_HEADER = "idempotency-key"
_MEANT_ONCE = frozenset({"tenant", _KEY_HEADER, "content-type", "dialect", "email-body", owners.HEADER})
_LONGEST_NAME_TOLD = 100


class UnreadableHeadersError(ValueError):
    """A header that means something is ambiguous or no text."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.error = FieldError(pointer="", code=code, detail=detail)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record of the topic; `topic` is the contract's name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, record: "ConsumerRecord[bytes, bytes]") -> "Arrived":
        """The record as the consumer gives it."""
        headers = tuple((name, value or b"") for name, value in record.headers)
        return cls(topics.REQUESTS, record.partition, record.offset, record.key, record.value, headers)

    def own_id(self, tenant: str, source_epoch: str) -> UUID:
        """The id of what it asks for, unless it has a key: its position."""
        return ids.positioned_notification(tenant, source_epoch, self.topic, self.partition, self.offset)

    def meant(self) -> dict[str, str]:
        """The headers that mean something, as text.

        Raises:
            UnreadableHeadersError: one of them stands twice, or is not UTF-8.
        """
        found: dict[str, str] = {}
        for name, value in self.headers:
            if name not in _MEANT_ONCE and not name.startswith(_ATTRIBUTE_PREFIX):
                continue
            if name in found:
                detail = f"the header {name[:_LONGEST_NAME_TOLD]} stands twice; keep one of them"
                raise UnreadableHeadersError("duplicate_header", detail)
            try:
                found[name] = value.decode()
            except UnicodeDecodeError as error:
                detail = f"the header {name[:_LONGEST_NAME_TOLD]} is not UTF-8"
                raise UnreadableHeadersError("not_utf8", detail) from error
        return found


def owner_of(headers: Mapping[str, str]) -> str:
    """Whom a record speaks for: who writes to the topic, or whom that one names, who may do no more.

    Raises:
        UnreadableHeadersError: no owner could be called so.
    """
    owner = headers.get(owners.HEADER, owners.TOPIC)
    if not owner or not owner.isprintable() or len(owner) > owners.LONGEST:
        detail = f"the header {owners.HEADER} names no owner; give 1 to {owners.LONGEST} printable characters, or none"
        raise UnreadableHeadersError("no_owner", detail)
    return owner


def asked(arrived: Arrived, headers: dict[str, str], properties: Mapping[str, Any]) -> Asked | Refused:
    """What a record asks, not examined yet; `headers` are those it meant, `properties` its tenant's."""
    dialect = headers.get("dialect")
    if dialect not in (None, desktop_assistant.NAME):
        detail = f"the dialect {dialect[:100]!r} is not supported by this release; send the native body"
        return _refused(Reason.UNSUPPORTED, FieldError(pointer="", code="unsupported", detail=detail))
    if arrived.value is None:
        detail = "the record has no value; send a notification as JSON"
        return _refused(Reason.UNDECODABLE, FieldError(pointer="", code="no_value", detail=detail))
    keys = {_KEY_HEADER: headers[_KEY_HEADER]} if _KEY_HEADER in headers else {}
    if dialect == desktop_assistant.NAME:
        return desktop_assistant.read(arrived.value, keys, properties)
    attributes = {
        name.removeprefix(_ATTRIBUTE_PREFIX): value
        for name, value in headers.items()
        if name.startswith(_ATTRIBUTE_PREFIX)
    }
    return reading.read(reading.Envelope(arrived.value, headers.get("content-type", ""), attributes, keys))


def _refused(reason: Reason, error: FieldError) -> Refused:
    return Refused(reason, (error,))
