"""sendNotification as the API documents describe it."""

from typing import Any

from pydantic import BaseModel, Field

from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Exceptions
from services.ingest.dialects.sam.roles import KEY_HEADER, TOKEN_HEADER

_REF = "#/components/schemas/{model}"


class Scheduled(BaseModel):
    """The answer from version 3 on, for now and for later alike."""

    notificationScheduleId: int  # noqa: N815 - the source's name


class SamError(BaseModel):
    """One fault of a sendNotification."""

    exception: Exceptions
    field: str
    message: str


class SamProblem(BaseModel):
    """The answer to a sendNotification of which nothing was done, unless `message` says that this is unknown.

    `exception` is the first fault's.
    """

    exception: Exceptions
    message: str
    errors: list[SamError]


class Timezone(BaseModel):
    """A zone that scheduleTimezoneId may name."""

    timezoneId: str = Field(max_length=40)  # noqa: N815 - the source's name
    utcOffsetMinutes: int  # noqa: N815 - beside it


MODELS = (SendNotification, Scheduled, SamProblem, Timezone)


def send() -> dict[str, Any]:
    """`POST /rest/notification/send`."""
    said = {
        "400": "A field is missing or wrong; message names it.",
        "401": "A header is missing or opens nothing.",
        "403": "The user has no role that may send, or none for this company.",
        "404": "There is no such event, smart library or entry.",
        "408": "The body was not there in time.",
        "413": "The body is larger than the longest emailBody, however it is escaped, and a mebibyte.",
        "422": "The idempotency key was used for another body.",
        "500": "Something unforeseen.",
        "503": "The directory or Kafka is away, or too much is under way; see Retry-After.",
    }
    answers = {"oneOf": [{"type": "integer", "description": "Version 2: the number of messages."}, _ref("Scheduled")]}
    return {
        "operationId": "sendNotification",
        "summary": "Send or schedule a notification to groups of users, or to users",
        "description": "Answered before anything is delivered. Fields of a later version in an earlier one are "
        "errors. Lengths are in characters.",
        "parameters": [
            _header(TOKEN_HEADER, "A user's token."),
            _header(KEY_HEADER, "A company's key, a UUID."),
            _IDEMPOTENCY_KEY,
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("SendNotification")}}},
        "responses": {"200": _content("It will be sent.", answers), **{
            status: _content(text, _ref("SamProblem")) for status, text in said.items()
        }},
    }  # fmt: skip


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Belongs to the user and the company's key. The same body again is answered as the first time, and "
    "nothing is sent a second time; without it every request is a new one.",
}


def timezones() -> dict[str, Any]:
    """`GET /rest/refdata/timezones`."""
    zones = {"type": "array", "items": _ref("Timezone")}
    return {
        "operationId": "getAllTimezones",
        "summary": "The zones of the IANA database, with their offsets now",
        "responses": {"200": _content("Every zone, by name.", zones)},
    }


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": description}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(model: str) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model)}
