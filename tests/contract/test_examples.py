"""The golden examples are what the models write, what their schemas allow, and what readers bear."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from services.dispatcher.sinks import webhook
from shared.contract import codec, generate, messages, requests
from tests.support import claims

FILES = sorted(generate.EXAMPLES.glob("*.json"))

# The request of the wire documentation, letter by letter.
WIRE_REQUEST = """
{"source": "billing", "name": "Customer enquiry 4172", "description": "Please answer by [Friday](https://crm.example/4172)",
 "recipients": ["ada", "grace"], "audience": {"kind": "team", "company": "3", "ids": ["23"]},
 "importance": "warning", "class": "enquiries", "options": {}, "items": [{"table": "incident", "id": "4172", "url": "https://crm.example/4172"}],
 "requires_action": true, "action_url": "https://crm.example/4172?popup=true", "script": "default", "channels": ["inbox", "push", "email"], "idempotency_key": "order-77",
 "schedule": {"local": "2026-12-01T09:00:00", "timezone": "Australia/Sydney", "job": null}, "expires_at": null}
"""  # noqa: E501


def shape_of(path: Path) -> str:
    return next(name for name in generate.SHAPES if path.name.startswith(name))


def model_of(path: Path) -> type[BaseModel]:
    return generate.SHAPES[shape_of(path)]


DOOR_FILES = [path for path in FILES if issubclass(model_of(path), requests.RequestModel)]
TOPIC_FILES = [path for path in FILES if path not in DOOR_FILES]
OWN_FILES = [path for path in TOPIC_FILES if issubclass(model_of(path), messages.Message)]


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((generate.SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def written(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", generate.SHAPES)
def test_every_shape_has_an_example(name: str) -> None:
    assert (generate.EXAMPLES / f"{name}.json") in FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_belongs_to_a_shape_and_obeys_its_schema(path: Path) -> None:
    validator(shape_of(path)).validate(written(path))


@pytest.mark.parametrize("path", TOPIC_FILES, ids=lambda path: path.stem)
def test_a_message_read_and_written_again_is_the_same_message(path: Path) -> None:
    message: Any = model_of(path).model_validate_json(path.read_bytes())
    assert json.loads(message.encoded()) == written(path)


@pytest.mark.parametrize("path", DOOR_FILES, ids=lambda path: path.stem)
def test_a_request_read_and_written_again_is_the_same_request(path: Path) -> None:
    request = model_of(path).model_validate_json(path.read_bytes())
    assert json.loads(request.model_dump_json(by_alias=True, exclude_unset=True)) == written(path)


@pytest.mark.parametrize("path", TOPIC_FILES, ids=lambda path: path.stem)
def test_a_reader_of_topics_bears_a_field_that_a_newer_writer_added(path: Path) -> None:
    newer = {**written(path), "said_in_a_later_version": 1}
    message = model_of(path).model_validate_json(json.dumps(newer))
    assert message == model_of(path).model_validate_json(path.read_bytes())
    validator(shape_of(path)).validate(newer)


@pytest.mark.parametrize("path", DOOR_FILES, ids=lambda path: path.stem)
def test_the_door_refuses_a_field_it_does_not_know(path: Path) -> None:
    misspelt = {**written(path), "recipeints": ["ada"]}
    with pytest.raises(ValidationError, match="recipeints"):
        model_of(path).model_validate_json(json.dumps(misspelt))
    assert not validator(shape_of(path)).is_valid(misspelt)


def test_the_request_of_the_wire_documentation_is_a_valid_request() -> None:
    request = requests.NotificationRequest.model_validate_json(WIRE_REQUEST)
    assert (request.class_key, request.recipients) == ("enquiries", ("ada", "grace"))
    validator("tocsin.notification.requested.v1").validate(json.loads(WIRE_REQUEST))
    assert json.loads(WIRE_REQUEST) == written(generate.EXAMPLES / "tocsin.notification.requested.v1.json")


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.stem)
def test_the_codec_knows_by_type_what_the_services_read(path: Path) -> None:
    model: Any = model_of(path)
    message = codec.decoded(path.read_bytes(), model)
    assert type(message) is model
    untyped = {name: value for name, value in written(path).items() if name != "type"}
    with pytest.raises(codec.UndecodableError):
        codec.decoded(json.dumps(untyped).encode(), model)
    assert not validator(shape_of(path)).is_valid(untyped)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [(None, "no value"), (b"\xff", "JSON"), (b"{}", "type"), (b'{"type": "tocsin.inbox.changed.v9"}', "type")],
    ids=["tombstone", "not_utf8", "no_type", "later_version"],
)
def test_what_is_no_message_is_refused_with_a_sentence(value: bytes | None, complaint: str) -> None:
    with pytest.raises(codec.UndecodableError, match=complaint):
        codec.decoded(value, messages.InboxChanged)


def test_a_webhook_is_sent_what_its_schema_says() -> None:
    body = webhook.body_of(claims.push("https://hooks.example/ada"))
    validator("tocsin.delivery.v1").validate(json.loads(body))
    assert set(json.loads(body)) == set(written(generate.EXAMPLES / "tocsin.delivery.v1.json"))


def test_the_committed_schemas_are_those_of_the_models() -> None:
    assert generate.stale() == []
