"""Schemathesis against a running service: what its OpenAPI document allows and forbids, thrown at it."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = int(os.environ.get("TOCSIN_API_EXAMPLES", "10"))
"""Cases per operation and phase: few with every run of the suite, many with `make check-api`."""

SEED = "20261"
OWN_KEY = "TOCSIN_TEST_OWN_KEY"
KNOWN = "TOCSIN_TEST_KNOWN_IDS"

# What a schema cannot say: requests of the right shape that are refused all the same, by (method, path), and why.
REFUSED_FOR_MEANING = {
    ("post", "/v1/notifications"): "links are web addresses, times lie ahead, somebody is reached",
    ("post", "/api/sn_dex_desktop/notifications"): "recipients must exist, and a property switches it off",
    ("post", "/v1/endpoints"): "only some addresses may be connected to, and the recipient must exist",
    ("post", "/v1/keys"): "a key expires in the future",
    ("post", "/v1/dead-letters/redrive"): "exactly one of three ways to choose",
    ("post", "/v1/inbox/tokens"): "the installation bounds the life of a token",
    ("put", "/v1/groups/{kind}/{group}"): "a kind of group stands under a company or under another group",
    ("put", "/v1/templates/{name}"): "the text is a template",
    ("post", "/v1/templates/{name}/preview"): "the text is a template, and its params must be there",
    ("put", "/v1/users/{user}"): "the id in the body is the one in the address",
}

# An answer of 2xx to what is called a wrong shape: parts are answered each on its own, and any text is a text.
ANSWERED_IN_PARTS = {
    ("post", "/v1/notifications/batch"),
    ("post", "/v1/directory/import"),
    ("post", "/v1/bodies"),
    ("post", "/v1/mail/reports"),
}

_CONFIG = """
{credentials}
[generation]
deterministic = true
no-shrink = true

[phases.coverage]
unexpected-methods = ["PATCH"]

# A link followed into an empty list asks for nobody's address (fuzzing_hooks), not for what was made before.
[[operations]]
include-path = "/v1/suppressions/{{address}}"
include-method = "GET"
checks.ensure_resource_availability.enabled = false
"""
_OPERATION = """
[[operations]]
include-path = "{path}"
include-method = "{method}"
checks.{check}.expected-statuses = [{statuses}]
"""
_ACCEPTED = '"2xx", "3xx", 401, 403, 404, 409, 429, "5xx"'
_REJECTED = '400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, "5xx"'


@dataclass(frozen=True)
class Api:
    """A running API: its address, its document, and the credentials of its security schemes by their names in it.

    `known` are ids that exist, by the path parameters they belong to; half of the requests name them.
    """

    url: str
    document: dict[str, Any]
    credentials: dict[str, str]
    known: dict[str, str]


async def run(api: Api, folder: Path) -> tuple[int | None, str]:
    """The exit code of Schemathesis, 0 when every check held, and its report."""
    config = folder / "schemathesis.toml"
    config.write_text("".join(_configuration(api)))
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{api.url}/v1/openapi.json",
        "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", SEED, "--generation-database", "none",
        "--continue-on-failure", "--no-color", "--warnings", "off", "--output-sanitize", "false",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.support.fuzzing_hooks",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        KNOWN: json.dumps(api.known),
        OWN_KEY: api.credentials["apiKey"].split("_")[1],
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


def _configuration(api: Api) -> Iterator[str]:
    bearers = "\n".join(f'[auth.openapi.{name}]\nbearer = "{value}"' for name, value in api.credentials.items())
    yield _CONFIG.format(credentials=bearers)
    for path, operations in api.document["paths"].items():
        for method, operation in operations.items():
            if (method, path) in REFUSED_FOR_MEANING or _is_paged(operation):
                yield _operation(method, path, "positive_data_acceptance", f"{_ACCEPTED}, 400, 422")
            if (method, path) in ANSWERED_IN_PARTS:
                yield _operation(method, path, "negative_data_rejection", f"{_REJECTED}, 200, 201")


def _is_paged(operation: dict[str, Any]) -> bool:
    """Whether it takes a cursor, which is opaque: any text has the right shape."""
    return any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))


def _operation(method: str, path: str, check: str, statuses: str) -> str:
    return _OPERATION.format(path=path, method=method.upper(), check=check, statuses=statuses)
