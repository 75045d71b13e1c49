"""Writes the JSON Schemas of the contract from its models: `python -m shared.contract.generate [--check]`.

The schemas are committed, so that a change of the contract shows as a difference no reviewer can miss.
"""

import argparse
import json
import sys
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from shared.contract import directory_entries, messages, requests

FOLDER = Path(__file__).parent
SCHEMAS = FOLDER / "schemas"
EXAMPLES = FOLDER / "examples"

SHAPES: dict[str, type[BaseModel]] = {
    "tocsin.notification.requested.v1": requests.NotificationRequest,
    "tocsin.notification.accepted.v1": messages.NotificationAccepted,
    "tocsin.notification.scheduled.v1": messages.NotificationScheduled,
    "tocsin.delivery.requested.v1": messages.DeliveryRequested,
    "tocsin.digest.window_opened.v1": messages.WindowOpened,
    "tocsin.inbox.changed.v1": messages.InboxChanged,
    "tocsin.entity.touched.v1": messages.EntityTouched,
    "tocsin.request.rejected.v1": messages.RequestRejected,
    "tocsin.delivery.v1": messages.PushedNotification,
    "tocsin.directory.changed.v1": directory_entries.DirectoryChanged,
    "tocsin.notification.event.v1": messages.NotificationEvent,
}
"""Every shape others rely on, by the name of its file; all but the last are values of `type` too.

`NotificationEvent` carries the type of its event, of which `tocsin.notification.event.v1` is the family.
"""


class _Untitled(GenerateJsonSchema):
    """Schemas without a title for every field that only repeats its name."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def schema(name: str, model: type[BaseModel]) -> str:
    """The JSON Schema (draft 2020-12) of what a writer may send, as it stands in its file.

    Models give `type` a default for their writers; readers tell messages apart by it, so it is required here.
    """
    body = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Untitled)
    if "const" in body["properties"].get("type", {}):
        body["required"] = list(dict.fromkeys(["type", *body["required"]]))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:tocsin:schema:{name}"}
    return json.dumps(head | body, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """Every generated file with the text it should hold."""
    return {SCHEMAS / f"{name}.json": schema(name, model) for name, model in SHAPES.items()}


def stale() -> list[str]:
    """Names of files that do not hold what the models say now, forgotten ones included."""
    wanted = files()
    behind = [path.name for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    return sorted(behind + [path.name for path in SCHEMAS.glob("*.json") if path not in wanted])


def main(arguments: list[str] | None = None) -> int:
    """Write the schemas, or with `--check` only name those that are behind the models."""
    parser = argparse.ArgumentParser(prog="python -m shared.contract.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a schema is not current")
    if parser.parse_args(arguments).check:
        behind = stale()
        if behind:
            sys.stderr.write(f"schemas not current, run `make generate`: {', '.join(behind)}\n")
        return 1 if behind else 0
    for path, text in files().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
