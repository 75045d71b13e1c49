"""The HTTP API as FastAPI describes it: routes whose bodies the door reads itself, documented from the models."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema
from starlette.types import Receive, Scope, Send

from services.ingest import api_sam
from services.ingest.admission import Deduplication
from services.ingest.dialects import cloudevents, desktop_assistant
from shared.contract.messages import FieldError
from shared.contract.requests import MAX_BATCH, NotificationRequest
from shared.postgres import uploads
from shared.runtime import api_document, problems
from shared.runtime.refused_credentials import Doors

Endpoint = Callable[[Request], Awaitable[Response]]

_DESKTOP_PATH = "/api/sn_dex_desktop/notifications"
_SEND_PATH = "/rest/notification/send"

DOORS = Doors(
    "notifications",
    {_DESKTOP_PATH: "desktop_assistant", _SEND_PATH: "send_notification", uploads.PATH: "bodies"},
)
"""Who refused a credential."""

_REF = "#/components/schemas/{model}"


class Accepted(BaseModel):
    """The answer to a notification: where to look for it, and what was done with its idempotency key."""

    notification_id: str = Field(json_schema_extra={"format": "uuid"})
    status: str = Field(json_schema_extra={"enum": ["accepted", "scheduled"]})
    schedule_id: int | None
    deduplication: Deduplication


class KeptBody(BaseModel):
    """A body that is kept; `id` is the SHA-256 of its content."""

    id: str
    characters: int
    keep_until: AwareDatetime


class Batch(BaseModel):
    """Notifications that are accepted or refused each on its own; the whole body has at most 1 MiB."""

    model_config = ConfigDict(extra="forbid")

    notifications: list[NotificationRequest] = Field(max_length=MAX_BATCH)


class BatchResult(BaseModel):
    """The answer to one notification of a batch: as `Accepted` with status 202, else a status and errors."""

    status: int
    notification_id: str | None = None
    schedule_id: int | None = None
    deduplication: Deduplication | None = None
    errors: list[FieldError] | None = None


class BatchResults(BaseModel):
    """The answers, in the order of the notifications."""

    results: list[BatchResult]


class CloudEvent(BaseModel):
    """A CloudEvent 1.0 in structured mode; (source, id) is the idempotency key."""

    specversion: str = Field(json_schema_extra={"const": "1.0"})
    id: str = Field(min_length=1, max_length=255)
    source: str = Field(min_length=1, max_length=255)
    type: str = Field(json_schema_extra={"const": cloudevents.TYPE})
    datacontenttype: str = "application/json"
    time: AwareDatetime | None = None
    data: NotificationRequest


_NOTIFICATION = {
    "source": "billing", "name": "Customer enquiry 4172",
    "description": "Please answer by [Friday](https://crm.example/4172)", "recipients": ["ada", "grace"],
    "importance": "warning", "class": "enquiries", "options": {},
    "items": [{"table": "incident", "id": "4172", "url": "https://crm.example/4172"}], "requires_action": True,
    "action_url": "https://crm.example/4172?popup=true", "channels": ["inbox", "push", "email"],
}  # fmt: skip
_EXAMPLES: dict[str, Any] = {
    "NotificationRequest": _NOTIFICATION,
    "Batch": {"notifications": [_NOTIFICATION]},
    "CloudEvent": {
        "specversion": "1.0", "id": "4172", "source": "//billing.example", "type": cloudevents.TYPE,
        "datacontenttype": "application/json", "data": _NOTIFICATION,
    },
    "Parameters": {
        "notification_title": "Your laptop", "notification_message": "Restart it today.", "recipient_list": "ada,grace",
        "referrer_table": "incident", "referrer_id": "4172", "source": "mim",
    },
}  # fmt: skip
_MODELS = (
    NotificationRequest, Accepted, Batch, BatchResults, CloudEvent, KeptBody, desktop_assistant.Parameters,
    desktop_assistant.Answer, *api_sam.MODELS,
)  # fmt: skip


class _PlainRoute(APIRoute):
    """A route that hands the request to its endpoint as it is: FastAPI's own reading costs half of the time."""

    def __init__(self, path: str, endpoint: Endpoint, **told: Any) -> None:
        super().__init__(path, endpoint, **told)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = app


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What answers each path."""

    notification: Endpoint
    batch: Endpoint
    desktop: Endpoint
    send_notification: Endpoint
    timezones: Endpoint
    body: Endpoint


def build(endpoints: Endpoints) -> FastAPI:
    """The application around the doors' endpoints, with its OpenAPI document at /v1/openapi.json."""
    app = FastAPI(
        title="Tocsin ingest", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None,
        redirect_slashes=False, telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    problems.install(app)
    for method, path, endpoint, status, described in (
        ("POST", "/v1/notifications", endpoints.notification, HTTPStatus.ACCEPTED, _single()),
        ("POST", "/v1/notifications/batch", endpoints.batch, HTTPStatus.OK, _batch()),
        ("POST", _DESKTOP_PATH, endpoints.desktop, HTTPStatus.OK, _desktop()),
        ("POST", _SEND_PATH, endpoints.send_notification, HTTPStatus.OK, api_sam.send()),
        ("POST", uploads.PATH, endpoints.body, HTTPStatus.CREATED, _upload()),
        ("GET", "/rest/refdata/timezones", endpoints.timezones, HTTPStatus.OK, api_sam.timezones()),
    ):
        app.router.add_api_route(
            path, endpoint, methods=[method], response_model=None, status_code=status, openapi_extra=described,
            route_class_override=_PlainRoute,
        )  # fmt: skip
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    api_document.install(app)
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version="1", routes=app.routes, summary="Asking for notifications.",
        description="Every error is an `application/problem+json` with all errors of the request at once.",
    )  # fmt: skip
    _, schemas = models_json_schema([(model, "validation") for model in _MODELS], ref_template=_REF)
    components = document.setdefault("components", {})
    components["schemas"] = schemas["$defs"]
    components["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    return document


def _single() -> dict[str, Any]:
    return {
        "operationId": "notify",
        "summary": "Accept a notification",
        "description": "Answered once Kafka has acknowledged it. A CloudEvent may come in structured mode, or in "
        "binary mode with `ce-` headers and the notification as its body.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                "description": "The same as `idempotency_key` in the body; both and different is an error.",
            }
        ],
        "requestBody": _body({"application/json": "NotificationRequest", cloudevents.MEDIA_TYPE: "CloudEvent"}),
        "responses": {"202": _content("Kafka has it.", "Accepted"), "408": {}, "415": {}},
        "security": [{"apiKey": []}],
    }


def _batch() -> dict[str, Any]:
    return {
        "operationId": "notifyBatch",
        "summary": "Accept many notifications, each on its own",
        "description": f"At most {MAX_BATCH:,} notifications and 1 MiB in all.",
        "requestBody": _body({"application/json": "Batch"}),
        "responses": {
            "200": _content("An answer for each notification.", "BatchResults"),
            "408": {},
            "415": {},
        },
        "security": [{"apiKey": []}],
    }


def _desktop() -> dict[str, Any]:
    said = {
        "200": "Queued; metadata.notification_id names it.",
        "400": "A parameter is missing, empty or wrong, a recipient is unknown, or the property is not true.",
        "401": "No API key, or one that is unknown, expired or revoked.",
        "403": "The key has neither the role sn_dex_desktop.admin nor admin.",
        "413": "The body has more than 1 MiB.",
        "415": "The body is compressed.",
        "422": "The idempotency key was used for another body.",
        "500": "Something unforeseen.",
        "503": "Kafka or the directory is away, or too much is under way; see Retry-After.",
    }
    return {
        "operationId": "sendDANotification",
        "summary": "Queue a Desktop Assistant notification",
        "description": "For all its recipients or for none. Any other responseCode than 200 means that nothing was "
        "queued, unless message says that this is unknown; message says why.",
        "requestBody": _body({"application/json": "Parameters"}),
        "responses": {status: _content(text, "Answer") for status, text in said.items()},
        "security": [{"apiKey": []}],
    }


def _upload() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": uploads.LONGEST_TEXT}
    return {
        "operationId": "keepBody",
        "summary": "Keep a text too large for a record, to be named by a request",
        "description": "The same text again is kept once, for longer.",
        "requestBody": {"required": True, "content": {"text/html": {"schema": text}}},
        "responses": {"201": _content("It is kept; id names it.", "KeptBody"), "408": {}, "415": {}},
        "security": [{"apiKey": []}],
    }


def _content(text: str, model: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": _REF.format(model=model)}}}}


def _body(models: dict[str, str]) -> dict[str, Any]:
    content = {
        media_type: {"schema": {"$ref": _REF.format(model=model)}, "example": _EXAMPLES[model]}
        for media_type, model in models.items()
    }
    return {"required": True, "content": content}
