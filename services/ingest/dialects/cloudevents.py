"""CloudEvents 1.0 whose data is the native body; (source, id) is the idempotency key.

Structured mode: the event is one JSON document. Binary mode: the attributes stand in headers (`ce-id` over HTTP,
`ce_id` on a topic), the data in the body. Extension attributes and `subject`, `time`, `dataschema` describe the event
to others and change nothing here, as the specification allows.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from services.ingest import documents
from services.ingest.acceptance import Asked, Refused
from services.ingest.dialects import native
from shared.contract.messages import FieldError
from shared.contract.outcomes import Reason

TYPE = "tocsin.notification.requested.v1"
MEDIA_TYPE = "application/cloudevents+json"
KEY_NAME = "the CloudEvent's id"

_LONGEST_SOURCE = 255


def structured(raw: bytes, keys: Mapping[str, str]) -> Asked | Refused:
    """What an event in structured mode asks."""
    try:
        event = documents.parsed(raw)
    except documents.UnfitDocumentError as error:
        return native.unreadable(error)
    if not isinstance(event, dict):
        return _refused([_error("", "not_an_object", "must be a JSON object with the attributes of a CloudEvent")])
    errors = [error.model_copy(update={"pointer": "/" + error.pointer}) for error in _attribute_errors(event)]
    data, at, data_errors = _data_of(event)
    if errors or data_errors:
        return _refused([*errors, *data_errors])
    return Asked(data, {**keys, KEY_NAME: event["id"]}, event["source"], at)


def binary(attributes: Mapping[str, str], content_type: str, raw: bytes, keys: Mapping[str, str]) -> Asked | Refused:
    """What an event in binary mode asks; `attributes` by their names without prefix, decoded."""
    given = {**attributes, **({"datacontenttype": content_type} if content_type else {})}
    errors = [
        error.model_copy(update={"pointer": "", "detail": f"attribute {error.pointer}: {error.detail}"})
        for error in _attribute_errors(given)
    ]
    try:
        data = documents.parsed(raw)
    except documents.UnfitDocumentError as error:
        return _refused([*errors, error.error]) if errors else native.unreadable(error)
    if errors:
        return _refused(errors)
    return Asked(data, {**keys, KEY_NAME: attributes["id"]}, attributes["source"])


def is_json(media_type: str) -> bool:
    """Whether a content type says JSON; parameters do not matter, since JSON is UTF-8 (RFC 8259)."""
    kind = media_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _attribute_errors(event: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with the attributes; the pointer of each error is the attribute's name."""
    errors = [
        _error(name, "missing", "this attribute is required")
        for name in ("specversion", "id", "source", "type")
        if name not in event
    ]
    errors += [
        _error(name, "string_type", "must be text that is not empty")
        for name in ("specversion", "id", "source", "type")
        if name in event and (not isinstance(event[name], str) or not event[name])
    ]
    text = {name: value for name, value in event.items() if name not in {error.pointer for error in errors}}
    if text.get("specversion", "1.0") != "1.0":
        errors.append(_error("specversion", "unsupported", "must be 1.0"))
    if text.get("type", TYPE) != TYPE:
        errors.append(_error("type", "unsupported", f"must be {TYPE}"))
    source = text.get("source", "")
    if len(source) > _LONGEST_SOURCE or documents.unstorable(source):
        errors.append(_error("source", "string_too_long", f"must be well-formed and at most {_LONGEST_SOURCE} long"))
    kind = event.get("datacontenttype", "application/json")
    if not isinstance(kind, str) or not is_json(kind):
        errors.append(_error("datacontenttype", "unsupported", "must be application/json or leave it out"))
    return errors


def _data_of(event: Mapping[str, Any]) -> tuple[Any, str, list[FieldError]]:
    """The data of a structured event, the pointer to it, and what is wrong with it."""
    if "data" in event and "data_base64" in event:
        return None, "", [_error("/data_base64", "unexpected", "an event has data or data_base64, not both")]
    if "data_base64" not in event:
        return event.get("data"), "/data", [] if "data" in event else [_error("/data", "missing", "is required")]
    try:
        return documents.parsed(base64.b64decode(event["data_base64"], validate=True)), "", []
    except documents.UnfitDocumentError as error:
        return None, "", [error.error.model_copy(update={"pointer": "/data_base64"})]
    except (TypeError, ValueError, binascii.Error):
        return None, "", [_error("/data_base64", "base64", "must be text in base64 (RFC 4648)")]


def _error(at: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=at, code=code, detail=detail)


def _refused(errors: list[FieldError]) -> Refused:
    return Refused(Reason.INVALID, tuple(errors))
