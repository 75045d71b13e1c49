"""Which dialect content is in, and what a CloudEvent asks in either mode."""

import base64
import json
from typing import Any

import pytest

from services.ingest import reading
from services.ingest.acceptance import Asked, Refused
from services.ingest.dialects import cloudevents
from services.ingest.reading import Envelope
from shared.contract.outcomes import Reason

BODY = {"source": "billing", "name": "Enquiry"}
RAW = json.dumps(BODY).encode()
EVENT = {"specversion": "1.0", "id": "e-1", "source": "/billing", "type": cloudevents.TYPE, "data": BODY}
ATTRIBUTES = {name: str(EVENT[name]) for name in ("specversion", "id", "source", "type")}


def structured(**changed: Any) -> Asked | Refused:
    event = {name: value for name, value in {**EVENT, **changed}.items() if value is not ...}
    return reading.read(Envelope(json.dumps(event).encode(), cloudevents.MEDIA_TYPE + "; charset=utf-8", {}, {}))


def errors(found: Asked | Refused) -> set[tuple[str, str]]:
    assert isinstance(found, Refused), found
    return {(error.pointer, error.code) for error in found.errors}


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_content_is_native_unless_it_says_otherwise(content_type: str) -> None:
    assert reading.read(Envelope(RAW, content_type, {}, {"k": "v"})) == Asked(BODY, {"k": "v"})


def test_source_and_id_of_a_structured_event_are_its_key() -> None:
    asked = structured(time="2026-01-01T00:00:00Z", traceparent="x", datacontenttype="application/json")
    assert asked == Asked(BODY, {cloudevents.KEY_NAME: "e-1"}, "/billing", "/data")


def test_the_data_of_a_structured_event_may_be_base64() -> None:
    asked = structured(data=..., data_base64=base64.b64encode(RAW).decode())
    assert asked == Asked(BODY, {cloudevents.KEY_NAME: "e-1"}, "/billing", "")


def test_an_event_in_binary_mode_asks_the_same() -> None:
    asked = reading.read(Envelope(RAW, "application/json", ATTRIBUTES, {}))
    assert asked == Asked(BODY, {cloudevents.KEY_NAME: "e-1"}, "/billing")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"id": ...}, {("/id", "missing")}, id="no id"),
        pytest.param({"id": ""}, {("/id", "string_type")}, id="empty id"),
        pytest.param({"id": 5, "source": ...}, {("/id", "string_type"), ("/source", "missing")}, id="two at once"),
        pytest.param(
            {"id": ..., "type": "x", "datacontenttype": "text/xml"},
            {("/id", "missing"), ("/type", "unsupported"), ("/datacontenttype", "unsupported")},
            id="of several kinds",
        ),
        pytest.param({"specversion": "0.3"}, {("/specversion", "unsupported")}, id="old version"),
        pytest.param({"type": "com.example.thing"}, {("/type", "unsupported")}, id="another type"),
        pytest.param({"source": "s" * 256}, {("/source", "string_too_long")}, id="long source"),
        pytest.param({"datacontenttype": "text/xml"}, {("/datacontenttype", "unsupported")}, id="XML"),
        pytest.param({"data": ...}, {("/data", "missing")}, id="no data"),
        pytest.param({"data_base64": "e30="}, {("/data_base64", "unexpected")}, id="data twice"),
        pytest.param({"data": ..., "data_base64": "???"}, {("/data_base64", "base64")}, id="no base64"),
        pytest.param({"data": ..., "data_base64": 7}, {("/data_base64", "base64")}, id="number for base64"),
        pytest.param({"data": ..., "data_base64": "bm8="}, {("/data_base64", "not_json")}, id="base64 of no JSON"),
    ],
)
def test_a_structured_event_that_is_none_is_refused(changed: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert errors(structured(**changed)) == expected


def test_an_event_in_binary_mode_that_is_none_is_refused_by_the_names_of_its_attributes() -> None:
    found = reading.read(Envelope(b"no JSON", "text/xml", {"specversion": "1.0", "id": "1", "type": "t"}, {}))
    assert errors(found) == {("", "missing"), ("", "unsupported"), ("", "not_json")}
    assert isinstance(found, Refused)
    assert found.errors[0].detail.startswith("attribute source")


def test_events_in_batches_are_refused() -> None:
    found = reading.read(Envelope(b"[]", "application/cloudevents-batch+json", {}, {}))
    assert isinstance(found, Refused)
    assert found.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("content_type", ["", cloudevents.MEDIA_TYPE])
def test_bytes_that_are_no_document_are_undecodable_in_every_dialect(content_type: str) -> None:
    found = reading.read(Envelope(b"\xff", content_type, {}, {}))
    assert isinstance(found, Refused)
    assert found.reason is Reason.UNDECODABLE
