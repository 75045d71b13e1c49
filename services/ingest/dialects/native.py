"""The native body: one notification as `shared.contract.requests` describes it."""

from collections.abc import Mapping

from services.ingest import documents
from services.ingest.acceptance import Asked, Refused
from shared.contract.outcomes import Reason


def read(raw: bytes, keys: Mapping[str, str]) -> Asked | Refused:
    """What a native body asks, `keys` being the idempotency keys given beside it."""
    try:
        return Asked(documents.parsed(raw), keys)
    except documents.UnfitDocumentError as error:
        return unreadable(error)


def unreadable(error: documents.UnfitDocumentError) -> Refused:
    """The refusal of bytes that are no document."""
    reason = Reason.TOO_LARGE if error.error.code == "too_large" else Reason.UNDECODABLE
    return Refused(reason, (error.error,))
