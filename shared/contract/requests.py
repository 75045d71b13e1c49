"""What upstream systems may ask for: the native body of `POST /v1/notifications` and of `notifications.requests`.

The model is strict (unknown fields are errors), since a caller's misspelling must not be accepted and ignored. The
limits are those of the wire documentation; characters are Unicode code points.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    NaiveDatetime,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import core_schema

from shared.contract.directory import GroupKind
from shared.contract.importance import Importance
from shared.contract.outcomes import Channel
from shared.contract.template_params import NAME

MAX_RECIPIENTS = 10_000
MAX_ITEMS = 100
MAX_BATCH = 1_000
MAX_BODY_BYTES = 1_048_576
MAX_OPTIONS_BYTES = 16_384
MAX_URL = 2_048

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII)
_NOT_ONE_LINE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL and UTF-8 has no lone surrogates: refuse both here, with their name."""
    if found := _UNSTORABLE.search(text):
        if found[0] == "\x00":
            raise ValueError("contains a NUL character, which cannot be stored; remove it")
        raise ValueError("contains a lone surrogate, which is not valid Unicode; send well-formed UTF-8")
    return text


def _one_line(text: str) -> str:
    """Names reach mail headers, where a line break would begin a header of the sender's choice."""
    if _NOT_ONE_LINE.search(text):
        _storable(text)
        raise ValueError("contains a control character or line break; use one line of plain text")
    return text


@dataclass(frozen=True, slots=True)
class TextRule:
    """What a text may hold: refused by a function that says why, described in JSON Schema by a pattern.

    Stands behind the limits of length: in front of them pydantic would count in Python, and call characters items.
    """

    check: Callable[[str], str]
    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """The rule as pydantic runs it."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The rule as a reader of the schema sees it; a pattern of the field's own says more and stays."""
        return {"pattern": self.pattern, **handler(schema)}


STORABLE = TextRule(_storable, r"^[^\x00]*$")
ONE_LINE = TextRule(_one_line, r"^[^\x00-\x1f\x7f-\x9f]*$")

Id = Annotated[str, StringConstraints(min_length=1, max_length=255), ONE_LINE]


def _whole(value: object) -> object:
    """JSON Schema counts 3.0 among the integers; pydantic by itself takes true and "3" for one too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic reports only these
    return value


def _text(value: object) -> object:
    """A time is a text here; pydantic by itself takes a number for seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("must be a text such as 2026-12-01T09:00:00Z")  # noqa: TRY004 - what pydantic reports
    return value


def _spelled_out(value: object) -> object:
    """A text is spelled as RFC 3339 says; pydantic by itself takes digits for seconds since 1970, and a day."""
    if not isinstance(value, str):
        return value
    if not _DATE_TIME.fullmatch(value):
        raise ValueError("is no date and time of RFC 3339; write it as 2026-12-01T09:00:00Z")
    return datetime.fromisoformat(value.upper())


Whole = Annotated[int, BeforeValidator(_whole)]
Time = Annotated[AwareDatetime, BeforeValidator(_spelled_out)]
Moment = Annotated[Time, BeforeValidator(_text)]
"""A number and a time in a JSON body, which nothing else passes for; bools and floats are `Strict` for the same.

`Time` is for a model that Python programs fill in too.
"""


LOCAL_TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"}
"""In JSON Schema `date-time` would promise a UTC offset, which a local time must not have."""


class RequestModel(BaseModel):
    """A strict, frozen shape of the doors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


def example(*bodies: Mapping[str, Any]) -> ConfigDict:
    """The configuration of a model whose schema shows these bodies; tests send each of them."""
    return ConfigDict(json_schema_extra={"examples": [dict(body) for body in bodies]})


class Item(RequestModel):
    """A thing a notification relates to, as the upstream system names it."""

    table: Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE]
    id: Id
    url: Annotated[str, StringConstraints(max_length=MAX_URL), ONE_LINE] | None = None


class Audience(RequestModel):
    """What resolves to recipients: a kind of group, the company it is in, the event or library, and the groups' ids."""

    kind: GroupKind
    company: Id
    parent: Id | None = None
    ids: Annotated[tuple[Id, ...], Field(max_length=MAX_RECIPIENTS)] = ()


class ScheduleRequest(RequestModel):
    """When to send: a local time in an IANA zone, optionally with the name of a registered job."""

    local: Annotated[NaiveDatetime, WithJsonSchema(LOCAL_TIME)]
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=40), ONE_LINE]
    job: Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE] | None = None


ParamName = Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE]
ParamValue = Annotated[str, StringConstraints(max_length=2_000), STORABLE]


class Mail(RequestModel):
    """The mail that a template makes of a notification: sent at once, to every recipient who has an address."""

    template: Annotated[
        str, StringConstraints(pattern=f"^{NAME.pattern}$"), Field(description="The name of a template.")
    ]
    subject: Annotated[str, StringConstraints(min_length=1, max_length=256), ONE_LINE]
    params: Annotated[
        dict[ParamName, ParamValue], Field(description="What the template shows, by name, besides what is personal.")
    ] = Field(default_factory=dict)
    body_ref: (
        Annotated[
            str,
            StringConstraints(pattern="^[0-9a-f]{64}$"),
            Field(description="The id of a body of `POST /v1/bodies`, which is the param emailBody."),
        ]
        | None
    ) = None


class NotificationRequest(RequestModel):
    """One request for one notification, in the native shape."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["recipients"]}, {"required": ["audience"]}]})

    source: Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE]
    name: Annotated[str, StringConstraints(min_length=1, max_length=255), ONE_LINE]
    description: Annotated[str, StringConstraints(min_length=1, max_length=4_096), STORABLE]
    recipients: Annotated[tuple[Id, ...], Field(max_length=MAX_RECIPIENTS)] = ()
    audience: Audience | None = None
    importance: Importance = Importance.DEFAULT
    class_key: Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE, Field(alias="class")] = (
        "general"
    )
    asset: Annotated[
        Id | None, Field(description="What it is about: who unsubscribed from this asset does not get it.")
    ] = None
    options: dict[str, Any] = Field(default_factory=dict)
    items: Annotated[tuple[Item, ...], Field(max_length=MAX_ITEMS)] = ()
    requires_action: bool = False
    action_url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL), ONE_LINE] | None = None
    script: Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE] = "default"
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] = (Channel.INBOX, Channel.PUSH, Channel.EMAIL)
    idempotency_key: Id | None = None
    schedule: ScheduleRequest | None = None
    expires_at: Time | None = None
    mail: Mail | None = None
    completion_email: Annotated[
        bool, Field(description="Mail the tenant's admins the counts and failures once the last delivery has ended.")
    ] = False
