"""Errors over HTTP are problem details, also those nobody foresaw."""

from typing import Any

import pytest
from fastapi import FastAPI

from shared.runtime import problems


async def test_an_unforeseen_error_is_a_problem_and_tells_nothing_of_the_inside() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("the secret divisor")

    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "GET", "path": "/broken", "headers": [], "query_string": b""}
    with pytest.raises(ZeroDivisionError):  # the server is told too, after the caller was answered
        await app(scope, receive, send)

    assert said[0]["status"] == 500
    assert (b"content-type", b"application/problem+json") in said[0]["headers"]
    assert b"secret" not in said[1]["body"]
