"""What an application's OpenAPI document says of the answers that `problems`, `authority` and `body_limit` give."""

import copy
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from shared.contract.messages import FieldError

PROBLEM_TYPE = "application/problem+json"

_REF = "#/components/schemas/{model}"
_FASTAPI_OWN = ("HTTPValidationError", "ValidationError")

_SAID = {
    "400": "The body cannot be read.",
    "401": "No credential, or one that is unknown, has expired or was revoked.",
    "403": "The API key lacks the scope.",
    "404": "There is none, or it is another's.",
    "408": "The body did not come in time.",
    "409": "What is there does not allow it.",
    "413": "The body is too large.",
    "415": "The body is of a media type, or packed in a way, that is not taken here.",
    "422": "The request is not valid; `errors` names everything that is wrong with it.",
    "503": "Not now: a part that is needed is away, or too much is under way.",
}
_HEADERS = {
    "401": {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
    "503": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}},
}


class Problem(BaseModel):
    """RFC 9457 problem details, with every error of the request at once."""

    type: str = Field(json_schema_extra={"format": "uri-reference"})
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    errors: list[FieldError]


def install(api: FastAPI) -> None:
    """Make the application describe its errors, on every operation, as the problems they are."""
    describe = api.openapi
    document: dict[str, Any] | None = None

    def completed() -> dict[str, Any]:
        nonlocal document
        if document is None:
            document = with_problems(describe())
        return document

    api.openapi = completed  # type: ignore[method-assign]


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The document with an RFC 9457 answer for everything that an operation may refuse for."""
    whole = copy.deepcopy(document)
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    _, problem = models_json_schema([(Problem, "serialization")], ref_template=_REF)
    schemas.update(problem["$defs"])
    for name in _FASTAPI_OWN:
        schemas.pop(name, None)
    for path, operations in whole["paths"].items():
        for operation in operations.values():
            operation["summary"] = operation.get("description", operation["summary"]).partition("\n")[0]
            responses = operation["responses"]
            for status in (*_statuses(path, operation), *(given for given in responses if given in _SAID)):
                if not _has_own_shape(responses.get(status, {})):
                    responses[status] = problem_answer(status, responses.get(status, {}).get("description"))
            operation["responses"] = dict(sorted(responses.items()))
    return whole


def _has_own_shape(answer: dict[str, Any]) -> bool:
    """Whether an operation says itself how it refuses, as those of the dialects do; FastAPI's way is not ours."""
    schemas = [content.get("schema", {}) for content in answer.get("content", {}).values()]
    return any(not schema.get("$ref", "").endswith(_FASTAPI_OWN) for schema in schemas)


def problem_answer(status: str, description: str | None = None) -> dict[str, Any]:
    """How a document describes one refusal; FastAPI's own words for 422 give way to ours."""
    said = _SAID[status] if description in (None, "Validation Error") else description
    schema = {"$ref": _REF.format(model="Problem")}
    answer: dict[str, Any] = {"description": said, "content": {PROBLEM_TYPE: {"schema": schema}}}
    return answer | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _statuses(path: str, operation: dict[str, Any]) -> list[str]:
    """What any operation of this form may refuse for; what is special to one is said where its route is."""
    found = ["503"]
    if operation.get("security"):
        found += ["401", "403"] if "apiKey" in operation["security"][0] else ["401"]
    if "{" in path:
        found.append("404")
    if "requestBody" in operation:
        found += ["400", "413", "415", "422"]
    return found
