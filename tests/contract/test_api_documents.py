"""The API documents are valid by their own specifications and promise what the wire documentation says."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy.reference import asyncapi, openapi
from shared.contract.topics import TOPICS

ASYNCAPI_SCHEMA = Path(__file__).parent / "vendor" / "asyncapi-3.0.0.json"

Json = dict[str, Any]
SERVICES: list[str] = list(openapi.APPLICATIONS)

# The shapes of the wire documentation: service, schema, and the fields clients may count on.
ANSWERS = [
    ("console", "User", "id login email first_name last_name locale timezone kind roles"),
    ("console", "MadeEndpoint", "id secret state reason recipient channel kind address"),
    ("console", "CommunicationClass", "name options"),
    ("console", "ImportanceAnswer", "retention cssClass sort send"),
    ("console", "Property", "value"),
    ("console", "ShownKey", "id key"),
    ("console", "Schedule", "id notification_id due_at local timezone job state"),
    ("console", "DeadLetter", "id reason detail topic partition offset at redriven original"),
    ("console", "Trace", "notification_id state timeline deliveries"),
    ("console", "TracedDelivery", "recipient channel endpoint state reason digest_id attempts"),
    ("console", "Problem", "type title status detail errors"),
    ("inbox", "TokenAnswer", "token expires_at login_url"),
    ("inbox", "Item", "id name description description_html importance css_class class created_at expires_at state"),
    ("inbox", "Item", "completed_by completed_at dismissed action_url popup items type status version"),
    ("ingest", "Accepted", "notification_id status schedule_id deduplication"),
    ("ingest", "FieldError", "pointer code detail"),
]  # fmt: skip

# Bodies as the wire documentation shows them, where each field is optional or an alternative to another.
REQUESTS: list[tuple[str, str, Json]] = [
    ("console", "UserFields", {"id": "ada", "login": "ada", "email": "ada@example.com", "first_name": "Ada",
                               "last_name": "L", "locale": "en-GB", "timezone": "Europe/London",
                               "quiet_hours": {"from": "22:00", "to": "07:00"}, "kind": "user", "roles": ["admin"]}),
    ("console", "EndpointFields", {"recipient": "ada", "channel": "push", "kind": "webhook", "address": "https://a.b"}),
    ("console", "ClassFields", {"name": "Enquiries", "options": {"email": "digest", "window_seconds": 900}}),
    ("console", "ImportanceFields", {"retention": 7, "cssClass": "bg-danger", "sort": 1, "send": True}),
    ("console", "PropertyFields", {"value": False}),
    ("console", "KeyFields", {"name": "x", "scopes": ["admin"], "expires_at": "2030-01-01T00:00:00Z"}),
    ("console", "Redrive", {"ids": ["0190d1f5-5a60-7c3b-8f4e-000000000000"], "rate_per_second": 5, "dry_run": True}),
    ("console", "Redrive", {"since": "2026-01-01T00:00:00Z"}),
    ("inbox", "TokenFields", {"recipient": "ada", "seconds": 900}),
]  # fmt: skip


def described(service: str) -> Json:
    document: Json = json.loads(openapi.documents()[service])
    return document


def operations(document: Json) -> list[Json]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def bodies(document: Json) -> list[tuple[Json, list[Any]]]:
    """The JSON bodies that operations take: their schema, and the examples given for them."""
    found = []
    for operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            if "json" in media_type and "ndjson" not in media_type:
                found.append((content["schema"], examples(document, content)))
    return found


def examples(document: Json, content: Json) -> list[Any]:
    given = [content["example"]] if "example" in content else []
    for name in references(content["schema"]):
        given += document["components"]["schemas"][name].get("examples", [])
    return given


def references(schema: Json) -> list[str]:
    alternatives = [schema, *schema.get("anyOf", [])]
    return [each["$ref"].rpartition("/")[2] for each in alternatives if "$ref" in each]


@pytest.mark.parametrize("service", SERVICES)
def test_an_api_is_described_in_openapi_3_1(service: str) -> None:
    document = described(service)
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_the_topics_are_described_in_asyncapi_3() -> None:
    document = yaml.safe_load(asyncapi.document(TOPICS, "1"))
    assert document["asyncapi"] == "3.0.0"
    jsonschema.Draft7Validator(json.loads(ASYNCAPI_SCHEMA.read_text())).validate(document)


def test_the_asyncapi_schema_refuses_what_is_no_such_document() -> None:
    document = yaml.safe_load(asyncapi.document(TOPICS, "1"))
    next(iter(document["operations"].values()))["action"] = "publish"
    assert not jsonschema.Draft7Validator(json.loads(ASYNCAPI_SCHEMA.read_text())).is_valid(document)


@pytest.mark.parametrize("service", SERVICES)
def test_every_json_body_is_shown_by_examples_that_its_schema_allows(service: str) -> None:
    document = described(service)
    for schema, given in bodies(document):
        assert given, f"no example for {schema}"
        for example in given:
            jsonschema.validate(example, schema | {"components": document["components"]})


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_describes_its_refusals_as_problems(service: str) -> None:
    own = {path: methods for path, methods in described(service)["paths"].items() if path.startswith("/v1/")}
    for operation in operations({"paths": own}):
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "503" in refusals
        assert {*operation.get("security", [{}])[0]} <= {"apiKey", "recipientToken"}
        assert all("application/problem+json" in answer["content"] for answer in refusals.values()), operation


@pytest.mark.parametrize(("service", "schema", "fields"), ANSWERS, ids=lambda value: value.split()[0])
def test_an_answer_has_the_fields_of_the_wire_documentation(service: str, schema: str, fields: str) -> None:
    assert set(fields.split()) <= set(described(service)["components"]["schemas"][schema]["properties"])


@pytest.mark.parametrize(("service", "schema", "body"), REQUESTS, ids=lambda value: str(value)[:20])
def test_a_body_of_the_wire_documentation_is_allowed(service: str, schema: str, body: Json) -> None:
    components = described(service)["components"]
    jsonschema.validate(body, {"$ref": f"#/components/schemas/{schema}", "components": components})


def test_the_topics_of_the_wire_documentation_are_described() -> None:
    addresses = {channel["address"] for channel in yaml.safe_load(asyncapi.document(TOPICS, "1"))["channels"].values()}
    lanes = ("urgent", "routine", "bulk")
    assert addresses >= {
        "notifications.requests", "notifications.rejected", "notifications.scheduled", "digest.windows",
        "inbox.changes", "notifications.events", "dead.letters",
        *(f"notifications.accepted.{lane}" for lane in lanes),
        *(f"deliveries.{channel}.{lane}" for channel in ("push", "email") for lane in lanes),
    }  # fmt: skip
