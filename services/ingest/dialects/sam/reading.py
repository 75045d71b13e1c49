"""The bytes of a sendNotification to a body that keeps to every rule, or to everything that is wrong with it."""

from typing import Any

import orjson

from services.ingest import documents
from services.ingest.dialects.sam import body, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Fault, invalid
from shared.contract.requests import MAX_BODY_BYTES

_LONGEST_CHARACTER_BYTES = 4
LARGEST_AT_ONCE = MAX_BODY_BYTES
"""Bytes; what has more takes long to read."""

MAX_BYTES = body.LONGEST_EMAIL_BODY * _LONGEST_CHARACTER_BYTES + MAX_BODY_BYTES
"""The longest emailBody in UTF-8, and 1 MiB for all the rest."""


def read(raw: bytes) -> SendNotification | list[Fault]:
    """What a caller sent; whether its time has passed is not asked here."""
    try:
        return _examined(_document(raw))
    except documents.UnfitDocumentError as error:
        return [invalid("", str(error))]


def read_hashed(raw: bytes, body_ref: str | None = None) -> tuple[SendNotification, bytes] | list[Fault]:
    """As `read`, with the SHA-256 of what was sent, however it is spaced and ordered.

    `body_ref` names an emailBody that was uploaded before. No field takes a fraction and all names are ASCII, so it is
    the canonical hash, ten million characters of emailBody included.
    """
    try:
        document = _document(raw)
    except documents.UnfitDocumentError as error:
        return [invalid("", str(error))]
    found = _examined(document)
    if isinstance(found, list):
        return found
    whole = document if body_ref is None else [document, body_ref]
    return found, documents.simple_hash(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS))


def _examined(document: Any) -> SendNotification | list[Fault]:
    found = body.read(document)
    return found if isinstance(found, list) else rules.faults(found) or found


def _document(raw: bytes) -> Any:
    """The JSON document; a large one without the checks that would take its emailBody apart character by character.

    Raises:
        UnfitDocumentError: no document that reads the same everywhere, or too large without its emailBody.
    """
    if len(raw) <= MAX_BODY_BYTES:
        return documents.parsed(raw)
    try:
        whole = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        detail = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}; send a JSON object"
        raise documents.UnfitDocumentError("not_json", detail) from error
    large = {"emailBody": whole.pop("emailBody")} if isinstance(whole, dict) and "emailBody" in whole else {}
    rest = orjson.dumps(whole)
    if len(rest) > MAX_BODY_BYTES:
        detail = f"without its emailBody it has more than {MAX_BODY_BYTES:,} bytes; send less"
        raise documents.UnfitDocumentError("too_large", detail)
    return {**documents.parsed(rest), **large} if large else documents.parsed(rest)
