"""The JSON Schemas that kubeconform holds the manifests against, as a folder it can read without a network."""

import json
import pathlib
from collections.abc import Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import kubernetes_validate

# Strict: an unknown field is an error, as with `kubectl apply --validate=strict`.
RELEASE = "v1.36.0-local-strict"
CUSTOM = pathlib.Path(__file__).parent / "schemas"
_POINTER = "/$defs/"

Schema = dict[str, Any]


def write(folder: pathlib.Path, kinds: Iterable[tuple[str, str]]) -> list[str]:
    """Writes one self-contained schema for each built-in (apiVersion, kind) and answers kubeconform's schema locations.

    A kind without a built-in schema is left out: kubeconform then looks among our own, and names what has none at all.
    """
    source = resources.files(kubernetes_validate) / "kubernetes-json-schema" / RELEASE
    definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
    for api_version, kind in kinds:
        name = _file_name(api_version, kind)
        if (schema := _builtin(source, name)) is not None:
            (folder / name).write_text(json.dumps(self_contained(schema, definitions)))
    return [
        f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
        f"{CUSTOM}/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
    ]


def self_contained(schema: Schema, definitions: Schema) -> Schema:
    """The schema with every definition it reaches beside it: kubeconform cannot follow references to another file."""
    wanted: dict[str, Any] = {}
    waiting = set(_references(schema))
    while waiting:
        name = waiting.pop()
        wanted[name] = _local(definitions[name])
        waiting |= set(_references(definitions[name])) - wanted.keys()
    return {**_local(schema), "definitions": wanted}


def _file_name(api_version: str, kind: str) -> str:
    """`apps/v1`, `Deployment` → `deployment-apps-v1.json`, as kubeconform asks for it."""
    group, _, version = api_version.rpartition("/")
    parts = [kind.lower(), group.split(".", maxsplit=1)[0], version]
    return "-".join(part for part in parts if part) + ".json"


def _builtin(source: Traversable, name: str) -> Schema | None:
    file = source / name
    if not file.is_file():
        return None
    schema: Schema = json.loads(file.read_text())
    return schema


def _references(node: object) -> Iterator[str]:
    """The names of all definitions this part of a schema points to."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.split(_POINTER)[1]
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _local(node: Any) -> Any:
    """The same part of a schema, pointing into its own file."""
    if isinstance(node, dict):
        return {
            key: f"#/definitions/{value.split(_POINTER)[1]}"
            if key == "$ref" and isinstance(value, str)
            else _local(value)
            for key, value in node.items()
        }
    return [_local(value) for value in node] if isinstance(node, list) else node
