"""The bytes of a sendNotification to a body that keeps to every rule, or to everything that is wrong with it."""

import re
from typing import Any

import orjson

from services.ingest import documents
from services.ingest.dialects.sam import body, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Fault, invalid
from shared.contract.requests import MAX_BODY_BYTES

_LONGEST_CHARACTER_BYTES = 12
"""In JSON: what lies beyond U+FFFF may be escaped as two surrogates."""

LARGEST_AT_ONCE = MAX_BODY_BYTES
"""Bytes; what has more takes long to read."""

MAX_BYTES = body.LONGEST_EMAIL_BODY * _LONGEST_CHARACTER_BYTES + MAX_BODY_BYTES
"""The longest emailBody, however it is escaped, and 1 MiB for all the rest."""

_BACKSLASH = ord("\\")
_EMAIL_BODY = re.compile(rb'"emailBody"[ \t\r\n]*:[ \t\r\n]*"')


def read(raw: bytes | bytearray) -> SendNotification | list[Fault]:
    """What a caller sent; whether its time has passed is not asked here. A large bytearray is given back empty."""
    try:
        return _examined(_document(raw))
    except documents.UnfitDocumentError as error:
        return [invalid("", str(error))]


def read_hashed(raw: bytes | bytearray, body_ref: str | None = None) -> tuple[SendNotification, bytes] | list[Fault]:
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


def _document(raw: bytes | bytearray) -> Any:
    """The JSON document; of a large one the text of emailBody is read apart, since all the rest must be small.

    Raises:
        UnfitDocumentError: no document that reads the same everywhere, or too large without its emailBody.
    """
    if len(raw) <= MAX_BODY_BYTES:
        return documents.parsed(raw)
    begin, end = _email_body(raw)
    if len(raw) - (end - begin) > MAX_BODY_BYTES:
        detail = f"without the text of its emailBody it has more than {MAX_BODY_BYTES:,} bytes; send less"
        raise documents.UnfitDocumentError("too_large", detail)
    # The name stands in no object within the body, so text of another place makes nothing right that is wrong.
    document = documents.parsed(raw[:begin] + raw[end:])
    text = _text(raw, begin, end)
    if isinstance(raw, bytearray):
        raw.clear()
    if isinstance(document, dict) and "emailBody" in document:
        document["emailBody"] = "".join(text)
    return document


def _email_body(raw: bytes | bytearray) -> tuple[int, int]:
    """Where the text of emailBody begins and ends, without its quotes; (0, 0) where there is none."""
    found = _EMAIL_BODY.search(raw)
    if found is None:
        return 0, 0
    end = raw.find(b'"', found.end())
    while end >= 0 and _is_escaped(raw, end):
        end = raw.find(b'"', end + 1)
    return found.end(), end if end >= 0 else len(raw)


def _is_escaped(raw: bytes | bytearray, place: int) -> bool:
    """Whether an odd number of backslashes stands before a place."""
    first = place
    while raw[first - 1] == _BACKSLASH:
        first -= 1
    return (place - first) % 2 == 1


_PIECE_BYTES = 4 * 1_048_576
_CUT_WITHIN_BYTES = 64
_BETWEEN_CHARACTERS = re.compile(
    rb"(?:(?<=[^\\]{6})|(?<=[^\\]\\u[0-9a-fA-F]{4}))"  # behind no escape, or behind a whole one
    rb"(?=.{4})(?![\x80-\xbf]|\\u[dD][c-fC-F])",  # before the rest of no character, and of no pair of surrogates
    re.DOTALL,
)
"""A text of nothing but other escapes is not cut; it is longer than its characters by half at most."""


def _text(raw: bytes | bytearray, begin: int, end: int) -> list[str]:
    """The text in pieces: as a whole it would be in memory once more."""
    pieces = []
    while begin < end:
        cut = _BETWEEN_CHARACTERS.search(raw, begin + _PIECE_BYTES, min(begin + _PIECE_BYTES + _CUT_WITHIN_BYTES, end))
        until = end if cut is None else cut.start()
        try:
            pieces.append(documents.text(b'"%b"' % bytes(raw[begin:until])))
        except documents.UnfitDocumentError as error:
            where = f"emailBody, from byte {begin:,} of the body on"
            raise documents.UnfitDocumentError(error.error.code, f"{where}: {error}") from error
        begin = until
    return pieces
