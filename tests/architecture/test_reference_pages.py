"""The reference pages say what the code says."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from deploy import generated
from deploy.reference import __main__ as reference
from deploy.reference import asyncapi, openapi
from shared.contract import generate
from shared.contract.topics import TOPICS


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(asyncapi.document(TOPICS, "0"))
    return loaded


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in references(value)]
    return [each for value in node for each in references(value)] if isinstance(node, list) else []


def resolved(root: Any, reference_: str) -> Any:
    for part in reference_.removeprefix("#/").split("/"):
        root = root[part]
    return root


def test_the_committed_pages_are_current() -> None:
    assert generated.stale(reference.files) == [], "run `make generate`"


def test_every_topic_is_a_channel_with_an_operation() -> None:
    channels = document()["channels"]
    assert [channel["address"] for channel in channels.values()] == [topic.name for topic in TOPICS]
    used = {operation["channel"]["$ref"] for operation in document()["operations"].values()}
    assert used == {f"#/channels/{name}" for name in channels}


def test_every_reference_within_the_document_leads_somewhere() -> None:
    whole = document()
    found = references(whole)
    assert len(found) > len(TOPICS)
    assert all(resolved(whole, each) for each in found)


def test_the_schemas_inside_accept_the_golden_examples() -> None:
    whole = document()
    names = whole["components"]["messages"]
    assert len(names) >= len({topic.name for topic in TOPICS}) // 2
    for name in names:
        schema = {"$ref": f"#/components/messages/{name}/payload", "components": whole["components"]}
        jsonschema.validate(json.loads((generate.EXAMPLES / f"{name}.json").read_text()), schema)


def described(service: str) -> Any:
    return json.loads(openapi.documents()[service])


def test_ingest_describes_the_request_of_the_wire_documentation() -> None:
    whole = described("ingest")
    schema = {"$ref": "#/components/schemas/NotificationRequest", "components": whole["components"]}
    jsonschema.validate(json.loads((generate.EXAMPLES / "tocsin.notification.requested.v1.json").read_text()), schema)


@pytest.mark.parametrize("service", openapi.APPLICATIONS)
def test_every_operation_has_a_name_and_says_what_it_does(service: str) -> None:
    whole = described(service)
    operations = [each for path in whole["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert all(each.get("summary") for each in operations)


@pytest.mark.parametrize("service", openapi.APPLICATIONS)
def test_every_reference_within_an_api_leads_somewhere(service: str) -> None:
    whole = described(service)
    assert all(resolved(whole, each) for each in references(whole))


@pytest.mark.parametrize("service", openapi.APPLICATIONS)
def test_every_address_of_an_api_stands_on_the_page_about_http(service: str) -> None:
    page = (reference.FOLDER / "http.md").read_text()
    assert [path for path in described(service)["paths"] if f"{path}`" not in page] == []
