"""Bytes of a request to a JSON document, or what is wrong with them; and the document's canonical hash."""

import hashlib
import json
import math
from collections import Counter
from typing import Any

import orjson
import rfc8785

from shared.contract import field_errors
from shared.contract.messages import FieldError
from shared.contract.requests import MAX_BODY_BYTES

MAX_DEPTH = 32
"""Objects and arrays within one another; the native body needs four, the rest is for `options`."""

_LARGEST_EXACT_INTEGER = 2**53 - 1
"""Beyond it JSON readers disagree (RFC 8785, section 3.2.2.3)."""

_INTEGER_DIGITS = 20


class UnfitDocumentError(ValueError):
    """The bytes are no document that could be read the same everywhere; `error` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.error = FieldError(pointer="", code=code, detail=detail)


def parsed(raw: bytes | bytearray) -> Any:
    """The document in `raw`.

    Raises:
        UnfitDocumentError: too large, not UTF-8, not JSON (RFC 8259), a name twice in an object, a number no double
            holds exactly, or nested too deep.
    """
    if len(raw) > MAX_BODY_BYTES:
        raise UnfitDocumentError("too_large", f"the body has more than {MAX_BODY_BYTES:,} bytes; send less at once")
    document = _decoded(raw)
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth(document) > MAX_DEPTH:
        raise _TOO_DEEP
    return document


def text(raw: bytes) -> str:
    """The text that is written as a JSON string in `raw`, of whatever length; raises as `parsed`."""
    found: str = _decoded(raw)
    return found


def _decoded(raw: bytes | bytearray) -> Any:
    try:
        return _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise UnfitDocumentError("not_utf8", f"byte {error.start} is not UTF-8; send JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnfitDocumentError("not_json", f"not JSON: {error.msg} at {where}; send a JSON object") from error
    except RecursionError as error:
        raise _TOO_DEEP from error


def unstorable(document: Any) -> list[FieldError]:
    """Where a document holds a NUL character or a lone surrogate, which neither UTF-8 nor PostgreSQL can carry."""
    return [error for location, text in _texts(document) for error in _unstorable_text(location, text)]


def readable(document: Any) -> Any:
    """The document with lone surrogates and NUL replaced, so that the rest of it can be examined too."""
    if isinstance(document, str):
        return document.encode("utf-8", "replace").decode().replace("\x00", "?")
    if isinstance(document, list):
        return [readable(part) for part in document]
    if isinstance(document, dict):
        return {readable(name): readable(part) for name, part in document.items()}
    return document


def encoded(document: Any) -> bytes | None:
    """The document as JSON with sorted names, or None when it holds what is `unstorable`."""
    try:
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate; orjson has no class of its own for it
        return None
    return None if b"\\u0000" in text and unstorable(document) else text


def canonical_hash(document: Any) -> bytes:
    """SHA-256 of the document's canonical form (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(document)).digest()


def simple_hash(sorted_text: bytes) -> bytes:
    """`canonical_hash` from the `encoded` text, for documents without fractions and with ASCII names only.

    RFC 8785 differs from plain sorting only in how it writes fractions and orders names beyond ASCII; it takes 50
    times as long.
    """
    return hashlib.sha256(sorted_text).digest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        shown = readable(next(name for name, count in counts.items() if count > 1))[:100]
        raise UnfitDocumentError("duplicate_name", f"the name {shown!r} stands twice in one object; keep one of them")
    return found


def _integer(text: str) -> int:
    if len(text) > _INTEGER_DIGITS or abs(int(text)) > _LARGEST_EXACT_INTEGER:
        detail = f"the whole number {_shown(text)} is beyond ±(2^53 - 1); send it as a string"
        raise UnfitDocumentError("number_too_large", detail)
    return int(text)


def _fraction(text: str) -> float:
    if math.isinf(found := float(text)):
        detail = f"the number {_shown(text)} is beyond what a double holds; send it as a string"
        raise UnfitDocumentError("number_too_large", detail)
    return found


def _shown(text: str) -> str:
    return text if len(text) <= _INTEGER_DIGITS else f"{text[:_INTEGER_DIGITS]}…"


def _constant(text: str) -> float:
    raise UnfitDocumentError("not_json", f"not JSON: {text} is no JSON number; send null or a string")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
_TOO_DEEP = UnfitDocumentError("too_deep", f"nested more than {MAX_DEPTH} levels deep; flatten it")


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level and depth <= MAX_DEPTH:
        level = [
            part
            for whole in level
            if isinstance(whole, dict | list)
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        ]
        depth += 1
    return depth


def _texts(document: Any) -> list[tuple[tuple[str | int, ...], str]]:
    found: list[tuple[tuple[str | int, ...], str]] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        location, part = waiting.pop()
        if isinstance(part, str):
            found.append((location, part))
        elif isinstance(part, list):
            waiting.extend(((*location, index), each) for index, each in enumerate(part))
        elif isinstance(part, dict):
            found.extend((location, name) for name in part)
            waiting.extend(((*location, readable(name)), each) for name, each in part.items())
    return found


def _unstorable_text(location: tuple[str | int, ...], text: str) -> list[FieldError]:
    at = field_errors.pointer(location)
    errors = []
    if "\x00" in text:
        detail = "contains a NUL character, which cannot be stored; remove it"
        errors.append(FieldError(pointer=at, code="nul", detail=detail))
    if any("\ud800" <= character <= "\udfff" for character in text):
        detail = "contains a lone surrogate, which is not valid Unicode; send well-formed UTF-8"
        errors.append(FieldError(pointer=at, code="lone_surrogate", detail=detail))
    return errors
