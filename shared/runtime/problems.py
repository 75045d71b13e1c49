"""Errors over HTTP as RFC 9457 problem details, with every field's error at once."""

import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.contract import field_errors
from shared.contract.messages import FieldError
from shared.errors import TransientError

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json", re.IGNORECASE)

_log = structlog.get_logger()

_DETAILS = {
    HTTPStatus.NOT_FOUND: "there is no such address here; GET /v1/openapi.json lists those there are",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address takes other methods; GET /v1/openapi.json lists them",
}
"""What the framework answers by itself in the place of what our own routes say."""

_INVALID = "the request is not valid; see errors"
_UNREADABLE = "not JSON in UTF-8, or nested too deep; send a JSON object"
_NOT_SAID_TO_BE_JSON = "send the header Content-Type: application/json with a JSON body"


class ProblemError(Exception):
    """An answer that is an error: its status, a detail that says what to do next, and the fields concerned."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[FieldError] = (),
        retry_after_seconds: float | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """Args: `members` are further members of the answer (RFC 9457, section 3.2), such as who came first."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_seconds = retry_after_seconds
        self.members = dict(members or {})


def answer(problem: ProblemError) -> JSONResponse:
    """The problem as `application/problem+json`, with Retry-After where it is known."""
    headers = {}
    if problem.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after_seconds)))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    content = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
        "errors": [error.model_dump() for error in problem.errors],
        **problem.members,
    }
    return JSONResponse(content, problem.status, headers, media_type="application/problem+json")


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods of a path (RFC 9110, 15.5.6), whichever routes answer them; the one that refused knows its own."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]


def _invalid(request: Request, errors: Sequence[Mapping[str, Any]]) -> ProblemError:
    """Everything that is wrong with a request; a body that FastAPI left unread for its media type is one error."""
    whole = any(error["loc"] == ("body",) and error["type"] != "missing" for error in errors)
    if whole and not _JSON.match(request.headers.get("content-type", "")):
        return ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _NOT_SAID_TO_BE_JSON)
    found = field_errors.from_pydantic([{**error, "loc": _place(error)} for error in errors])
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, _INVALID, field_errors.limited(found))


def _refused(status: HTTPStatus, detail: str) -> ProblemError:
    """What the framework refuses by itself; 400 is its answer to a body that it cannot take apart."""
    if status is HTTPStatus.BAD_REQUEST:
        unreadable = FieldError(pointer="", code="not_json", detail=_UNREADABLE)
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, _INVALID, [unreadable])
    return ProblemError(status, _DETAILS.get(status, detail))


def _place(error: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Where an error is within the part of a request that it is in; where JSON breaks off is no place in it."""
    return () if error["type"] == "json_invalid" else tuple(error["loc"][1:])


def install(app: FastAPI) -> None:
    """Make every error of an application an RFC 9457 answer."""

    @app.exception_handler(ProblemError)
    async def _problem(_request: Request, problem: ProblemError) -> JSONResponse:
        return answer(problem)

    @app.exception_handler(TransientError)
    async def _away(_request: Request, error: TransientError) -> JSONResponse:
        detail = f"{error}; nothing was changed that a repeat would not mend: try again"
        return answer(ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, (), error.retry_after_seconds or 1.0))

    @app.exception_handler(RequestValidationError)
    async def _not_valid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(_invalid(request, error.errors()))

    @app.exception_handler(HTTPException)
    async def _of_framework(request: Request, error: HTTPException) -> JSONResponse:
        answered = answer(_refused(HTTPStatus(error.status_code), str(error.detail)))
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            answered.headers["Allow"] = ", ".join(_allowed(app, request))
        return answered

    @app.exception_handler(Exception)
    async def _unforeseen(_request: Request, error: Exception) -> JSONResponse:
        _log.error("request_failed_unforeseen", error_type=type(error).__name__, exc_info=error)
        detail = "something unforeseen went wrong here and was logged; try again, and report it if it stays"
        return answer(ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
