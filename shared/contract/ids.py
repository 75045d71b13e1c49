"""Identities: what makes two things the same thing.

Every id begins with the tenant and is a uuid5 over a JSON array, never over joined strings: `["a", "b:c"]` and
`["a:b", "c"]` must not collide.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NewType
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import uuid_utils

NotificationId = NewType("NotificationId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
DigestId = NewType("DigestId", UUID)
EndpointKey = NewType("EndpointKey", str)
"""The id of a push endpoint, or EMAIL for the recipient's mail address."""

EMAIL = EndpointKey("email")

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:tocsin:ids:1")
_NAMESPACE_BYTES = _NAMESPACE.bytes
_DELETE = b"\x7f"
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def derived(kind: str, parts: Sequence[str | int]) -> UUID:
    """The uuid5 of a kind of thing and the parts that make it the same thing.

    Spelled out rather than by `uuid.uuid5`, which takes three times as long; every delivery has one.
    """
    name = _NAMESPACE_BYTES + _json([kind, *parts])
    return UUID(bytes=hashlib.sha1(name, usedforsecurity=False).digest()[:16], version=5)


def _json(array: list[str | int]) -> bytes:
    """A compact array in ASCII. What is printable ASCII already, orjson writes alike and ten times as fast."""
    with contextlib.suppress(orjson.JSONEncodeError):
        text = orjson.dumps(array)
        if text.isascii() and _DELETE not in text:
            return text
    return _ENCODER.encode(array).encode()


def fresh() -> UUID:
    """A time-ordered UUIDv7 (RFC 9562) for what has no identity of its own."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def fresh_text() -> str:
    """`fresh` as text, for what only writes it down."""
    return str(uuid_utils.uuid7())


def keyed_notification(tenant: str, source: str, *key: str) -> NotificationId:
    """The id of the one notification a tenant's source means by an idempotency key.

    `key` is that key, behind the names of whoever it belongs to where one source has several callers.
    """
    return NotificationId(derived("notification", [tenant, source, *key]))


def positioned_notification(tenant: str, source_epoch: str, topic: str, partition: int, offset: int) -> NotificationId:
    """The id of a notification asked for on a topic without a key: its position is its identity.

    `source_epoch` is configured and changed when a topic is made anew, since offsets begin again then.
    """
    return NotificationId(derived("record", [tenant, source_epoch, topic, partition, offset]))


def delivery(tenant: str, subject: UUID, recipient: str, endpoint: str) -> DeliveryId:
    """The id of one notification's or digest's way to one endpoint of one recipient."""
    return DeliveryId(derived("delivery", [tenant, str(subject), recipient, endpoint]))


def digest(tenant: str, recipient: str, class_key: str, opened_at: datetime) -> DigestId:
    """The id of the digest, and of its window, that opened at an aware moment for a recipient and class.

    The same moment gives the same id in whatever zone it is written.
    """
    return DigestId(derived("digest", [tenant, recipient, class_key, opened_at.astimezone(UTC).isoformat()]))


def event(subject: UUID, name: str, *parts: str | int) -> UUID:
    """The id of an event about a subject; a repeat of the same event has the same id."""
    return derived("event", [str(subject), name, *parts])
