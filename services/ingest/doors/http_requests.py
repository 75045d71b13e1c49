"""What an HTTP request brings: headers, a bounded body, the notifications of a batch."""

import asyncio
import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.ingest import documents, reading
from services.ingest.doors.http_answers import field_error, unprocessable
from shared.contract import field_errors
from shared.contract.requests import MAX_BATCH, MAX_BODY_BYTES
from shared.runtime import body_limit
from shared.runtime.problems import ProblemError

_KEY_HEADER = "idempotency-key"
_ATTRIBUTE_PREFIX = "ce-"
_BODY_SECONDS = 30.0
"""Longer than any caller's line needs for 1 MiB; a caller that only pretends to send must not hold a place for ever."""


def headers_of(request: Request) -> dict[str, str]:
    """The headers by lower-case name; raises ProblemError where one that means something here is ambiguous."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        said = headers.setdefault(name, value)
        if said != value and (name == _KEY_HEADER or name.startswith(_ATTRIBUTE_PREFIX)):
            raise _twice(name)
    if headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without a content-encoding")
    return headers


def idempotency_key(request: Request) -> str | None:
    """The key beside the body, None without; raises ProblemError where it is no text or stands twice."""
    found = set(request.headers.getlist(_KEY_HEADER))
    if len(found) > 1:
        raise _twice(_KEY_HEADER)
    return _utf8(_KEY_HEADER, found.pop()) if found else None


def refuse_single_modes(headers: Mapping[str, str]) -> None:
    """A batch is native, and each of its notifications names its own key; raises ProblemError for anything else."""
    if _KEY_HEADER in headers:
        raise unprocessable("unsupported", "a batch has no key of its own; give each notification an idempotency_key")
    kind = headers.get("content-type", "")
    if kind.startswith("application/cloudevents") or any(name.startswith(_ATTRIBUTE_PREFIX) for name in headers):
        raise unprocessable("unsupported", "a batch holds native notifications; send CloudEvents one at a time")


def envelope(raw: bytes, headers: Mapping[str, str]) -> reading.Envelope:
    """A body and its headers as both doors' reader takes them; raises ProblemError for headers that are no text."""
    attributes = {
        name.removeprefix(_ATTRIBUTE_PREFIX): _decoded(name, value)
        for name, value in headers.items()
        if name.startswith(_ATTRIBUTE_PREFIX)
    }
    return reading.Envelope(raw, headers.get("content-type", ""), attributes, idempotency_keys(headers))


def idempotency_keys(headers: Mapping[str, str]) -> dict[str, str]:
    """The key beside the body, by what callers call it; raises ProblemError for one that is no text."""
    return {"Idempotency-Key": _utf8(_KEY_HEADER, headers[_KEY_HEADER])} if _KEY_HEADER in headers else {}


def _decoded(name: str, value: str) -> str:
    """An attribute's value: UTF-8, percent-encoded (HTTP protocol binding for CloudEvents, section 3.1.3.2)."""
    try:
        return urllib.parse.unquote(_utf8(name, value), errors="strict")
    except UnicodeDecodeError as error:
        raise unprocessable("not_utf8", f"the header {name} is not UTF-8 behind its percent signs") from error


def _twice(name: str) -> ProblemError:
    return unprocessable("duplicate_header", f"the header {name} stands twice with different values")


def _utf8(name: str, value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise unprocessable("not_utf8", f"the header {name} is not UTF-8") from error


async def body_of(request: Request) -> bytes:
    """The whole body; raises ProblemError as soon as it is known to be too large, however it is framed."""
    declared = request.headers.get("content-length", "0")
    size = int(declared) if declared.isdecimal() else 0
    parts = []
    if size <= MAX_BODY_BYTES:
        size = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in request.stream():
                    size += len(part)
                    if size > MAX_BODY_BYTES:
                        break
                    parts.append(part)
        except ClientDisconnect as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the connection ended within the body") from error
        except TimeoutError as error:
            detail = f"the body was not there within {_BODY_SECONDS:.0f} s; send it faster or less at once"
            raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail) from error
    if size > MAX_BODY_BYTES:
        await body_limit.drain(request.scope, request.receive)
        detail = f"the body has more than {MAX_BODY_BYTES:,} bytes; send less at once"
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, [field_error("too_large", detail)])
    return b"".join(parts)


def elements_of(raw: bytes) -> list[Any]:
    """The notifications of a batch, not examined; raises ProblemError when the body is no batch."""
    try:
        document = documents.parsed(raw)
    except documents.UnfitDocumentError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), [error.error]) from error
    if not isinstance(document, dict) or not isinstance(document.get("notifications"), list):
        raise unprocessable("not_a_batch", 'send {"notifications": […]}', "/notifications")
    if unknown := document.keys() - {"notifications"}:
        listed = field_errors.from_pydantic([{"loc": (name,), "type": "extra_forbidden"} for name in sorted(unknown)])
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "a batch has one field", field_errors.limited(listed))
    elements: list[Any] = document["notifications"]
    if len(elements) > MAX_BATCH:
        raise unprocessable("too_long", f"a batch has at most {MAX_BATCH:,} notifications", "/notifications")
    return elements
