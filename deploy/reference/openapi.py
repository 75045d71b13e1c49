"""`docs/reference/openapi/`: the HTTP API of each service that has one, as its running application describes it."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response

from services.console import api as console
from services.inbox import api as inbox
from services.ingest import api as ingest


async def _never_asked(_request: Request) -> Response:
    raise NotImplementedError("this application only describes itself")


def _ingest() -> FastAPI:
    return ingest.build(ingest.Endpoints(*6 * (_never_asked,)))


def _nothing() -> Any:
    """What a part of an application is that only describes itself."""
    return None


def _console() -> FastAPI:
    return console.build(console.Parts(_nothing(), _nothing(), _nothing(), _nothing()))


def _inbox() -> FastAPI:
    return inbox.build(inbox.Parts(*7 * (_nothing(),)))


APPLICATIONS: dict[str, Callable[[], FastAPI]] = {"ingest": _ingest, "inbox": _inbox, "console": _console}


@functools.cache
def documents() -> Mapping[str, str]:
    """The OpenAPI document of each service as JSON, by the service's name; made once, which takes a second."""
    return {name: _text(build().openapi()) for name, build in APPLICATIONS.items()}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
