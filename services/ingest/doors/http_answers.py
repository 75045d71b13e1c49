"""What the HTTP door answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response

from services.ingest.acceptance import Refused
from services.ingest.admission import Admitted, Verdict
from shared.contract.messages import FieldError
from shared.contract.outcomes import Reason
from shared.runtime.problems import ProblemError

_STATUS = {Reason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Reason.FORBIDDEN: HTTPStatus.FORBIDDEN}


def answer(admitted: Admitted) -> dict[str, Any]:
    """The answer to a request that was accepted."""
    identity = admitted.identity
    return {
        "notification_id": str(identity.notification_id),
        "status": "accepted" if identity.schedule_id is None else "scheduled",
        "schedule_id": identity.schedule_id,
        "deduplication": admitted.deduplication,
    }


def result(final: Verdict) -> dict[str, Any]:
    """One notification's place in the answer to a batch."""
    if isinstance(final, Admitted):
        return {**answer(final), "status": HTTPStatus.ACCEPTED.value}
    if isinstance(final, Refused):
        return {"status": _status(final).value, "errors": [error.model_dump() for error in final.errors]}
    error = field_error("unavailable", f"{final}; try again")
    return {"status": HTTPStatus.SERVICE_UNAVAILABLE.value, "errors": [error.model_dump()]}


def problem(refused: Refused) -> ProblemError:
    """The answer to a request that was refused, with every error."""
    detail = refused.errors[0].detail if len(refused.errors) == 1 else "the request is not valid; see errors"
    return ProblemError(_status(refused), detail, refused.errors)


def _status(refused: Refused) -> HTTPStatus:
    return _STATUS.get(refused.reason, HTTPStatus.UNPROCESSABLE_ENTITY)


def unprocessable(code: str, detail: str, at: str = "") -> ProblemError:
    """422 with one error."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, [field_error(code, detail, at)])


def field_error(code: str, detail: str, at: str = "") -> FieldError:
    """One error, of the whole request unless `at` points into it."""
    return FieldError(pointer=at, code=code, detail=detail)


def json_response(status: HTTPStatus, content: Mapping[str, Any]) -> Response:
    """An answer, without FastAPI's detour through its encoder."""
    return Response(orjson.dumps(content), status, media_type="application/json")
