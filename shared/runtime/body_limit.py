"""Request bodies are bounded before anything parses them, however they are framed."""

import asyncio
import contextlib
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime import problems

_DRAINED_BYTES = 16 * 1024 * 1024
_DRAINED_SECONDS = 10.0


async def drain(scope: Scope, receive: Receive) -> None:
    """Read away what is left of a body that is refused, up to 16 MiB and for 10 s.

    Most clients send all of it before they read an answer: to them a connection closed meanwhile is an error of the
    network, and the refusal is never seen. A client that asked first (`Expect: 100-continue`) is still waiting.
    """
    left = 0 if b"expect" in dict(scope["headers"]) else _DRAINED_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAINED_SECONDS):
            while left > 0:
                message = await receive()
                left = left - len(message["body"]) if message.get("more_body") else 0


class BodyLimit:
    """ASGI middleware that answers 413 to a body larger than `most_bytes`, or than what a path of its own allows."""

    def __init__(self, app: ASGIApp, most_bytes: int, paths: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._paths = dict(paths or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on while its body stays within its bound."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._paths.get(scope["path"], self._most_bytes)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > most:
            refused = problems.ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _detail(most))
            await drain(scope, receive)
            await problems.answer(refused)(scope, receive, send)
            return
        await self._app(scope, _bounded(scope, receive, most), send)


def _bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            if message.get("more_body"):
                await drain(scope, receive)
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _detail(most))
        return message

    return bounded


def _detail(most: int) -> str:
    return f"the body is larger than {most} bytes; send less at a time"
