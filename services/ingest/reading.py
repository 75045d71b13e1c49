"""What came through a door to what it asks, by the dialect its headers name; the same for both doors."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.ingest.acceptance import Asked, Refused
from services.ingest.dialects import cloudevents, native
from shared.contract.messages import FieldError
from shared.contract.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a door hands in.

    Attributes:
        raw: the body.
        content_type: as declared, '' when it was not.
        attributes: CloudEvents attributes in headers, by name without prefix, decoded; empty when there were none.
        keys: idempotency keys beside the body, by what they are called there.
    """

    raw: bytes
    content_type: str
    attributes: Mapping[str, str]
    keys: Mapping[str, str]


def read(envelope: Envelope) -> Asked | Refused:
    """What an envelope asks, not examined yet, or why its content cannot be read."""
    kind = envelope.content_type.partition(";")[0].strip().lower()
    if kind == cloudevents.MEDIA_TYPE:
        return cloudevents.structured(envelope.raw, envelope.keys)
    if kind.startswith("application/cloudevents"):
        detail = f"{kind} is not supported; send one event as {cloudevents.MEDIA_TYPE}"
        return Refused(Reason.UNSUPPORTED, (FieldError(pointer="", code="unsupported", detail=detail),))
    if envelope.attributes:
        return cloudevents.binary(envelope.attributes, envelope.content_type, envelope.raw, envelope.keys)
    return native.read(envelope.raw, envelope.keys)
