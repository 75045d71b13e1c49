"""Errors over HTTP are problem details, also those nobody foresaw."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from shared.runtime import problems


async def _asked(app: FastAPI, method: str, path: str, said: list[Any]) -> None:
    """One request to an application, which appends to `said` what it answers, start and body."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await app(scope, receive, send)


async def test_an_unforeseen_error_is_a_problem_and_tells_nothing_of_the_inside() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("the secret divisor")

    said: list[Any] = []
    with pytest.raises(ZeroDivisionError):  # the server is told too, after the caller was answered
        await _asked(app, "GET", "/broken", said)

    assert said[0]["status"] == 500
    assert (b"content-type", b"application/problem+json") in said[0]["headers"]
    assert b"secret" not in said[1]["body"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/there", 405)])
async def test_a_wrong_address_is_told_where_the_right_ones_stand(method: str, path: str, status: int) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/there")
    async def there() -> None:
        return

    said: list[Any] = []
    await _asked(app, method, path, said)
    answered = json.loads(said[1]["body"])
    assert (said[0]["status"], answered["status"]) == (status, status)
    assert "/v1/openapi.json" in answered["detail"]
