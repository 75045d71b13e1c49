"""`docs/reference/openapi/`: the HTTP API of each service that has one, as its running application describes it."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from services.ingest import api as ingest


async def _never_asked(_request: Request) -> Response:
    raise NotImplementedError("this application only describes itself")


def _ingest() -> FastAPI:
    return ingest.build(_never_asked, _never_asked)


APPLICATIONS: dict[str, Callable[[], FastAPI]] = {"ingest": _ingest}


def documents() -> dict[str, str]:
    """The OpenAPI document of each service as JSON, by the service's name."""
    return {name: _text(build().openapi()) for name, build in APPLICATIONS.items()}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
