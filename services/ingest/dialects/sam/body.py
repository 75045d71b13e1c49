"""The body of sendNotification: fields, types and limits (B3, B5), and which version has which field."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints
from pydantic.alias_generators import to_camel

from services.ingest.dialects.sam.faults import Fault, invalid
from shared.contract import template_params
from shared.contract.requests import ONE_LINE, STORABLE, example

LONGEST_MESSAGE = 2_048
LONGEST_EMAIL_BODY = 10_000_000
VERSIONS = (2, 3, 4)

_SINCE = {
    "url": 3, "scheduleTimezoneId": 3, "scheduleLocalDateTime": 3, "scheduleJobName": 3,
    "userNotificationTypeId": 4, "userNotificationTypeStatusId": 4,
}  # fmt: skip
"""Fields that came with a version. What the source added later without naming a version, every version has: it says
that version 2 is enough for who needs neither scheduling nor url."""

_USER_SINCE = 4
_DEPRECATED = "version 1 is deprecated since 21-DEC-2016; send version 2, 3 or 4"
_LONGEST_SHOWN_NAME = 100


class Kind(StrEnum):
    """The supported types of notification (B4)."""

    EVENT = "GE"
    TEAM = "GT"
    SMART_LIBRARY = "SN"
    JOB = "JN"
    ASSET = "GA"
    USER = "UN"


Line40 = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=40), ONE_LINE]
Line100 = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=100), ONE_LINE]
Line255 = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=255), ONE_LINE]
Line256 = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=256), ONE_LINE]
Line1024 = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=1_024), ONE_LINE]
"""One line of text, of at most so many characters."""

Number = Annotated[int, Strict(), Field(ge=1)]
"""The source's Number: the key of a row, or of a word in a list."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class Param(_Shape):
    """A generic or personalised parameter of an email template; a value may be empty."""

    key: Line100
    value: Annotated[str, Strict(), StringConstraints(max_length=2_000), STORABLE]


class SendNotification(_Shape):
    """The body, of whichever version; what a version has not stands at its default. Lengths are in characters."""

    model_config = example({"version": 4, "type": "UN", "key": "3", "values": ["ada.login"], "message": "Stock is low"})

    version: Literal[2, 3, 4]
    type: Kind
    key: Line100
    values: list[Line255] | None = None
    message: Annotated[str, Strict(), StringConstraints(min_length=1, max_length=LONGEST_MESSAGE), STORABLE]
    url: Line1024 | None = None
    schedule_timezone_id: Line40 | None = None
    schedule_local_date_time: Line40 | None = None
    schedule_job_name: Line100 | None = None
    brochure_id: Number | None = None
    email_template: Line100 | None = None
    email_subject: Line256 | None = None
    email_body: (
        Annotated[str, Strict(), StringConstraints(min_length=1, max_length=LONGEST_EMAIL_BODY), STORABLE] | None
    ) = None
    email_params: list[Param] | None = None
    campaign_tag_id: Number | None = None
    update_entity_last_modified: Annotated[bool, Strict()] | None = None
    user_notification_type_id: Number | None = None
    user_notification_type_status_id: Number | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether it names a time."""
        return self.schedule_timezone_id is not None or self.schedule_local_date_time is not None

    @property
    def used_subject(self) -> str | None:
        """The emailSubject, which the source uses where there is a template."""
        return None if self.email_template is None else self.email_subject

    @property
    def used_params(self) -> Sequence[Param]:
        """The emailParams, which the source uses where there is a template."""
        return () if self.email_template is None else self.email_params or ()

    @property
    def uses_body(self) -> bool:
        """Whether an emailBody goes into the mail: the source injects it where the params hold its key (B7)."""
        return any(param.key == template_params.BODY for param in self.used_params)

    @property
    def used_body(self) -> str | None:
        """The emailBody, where it goes into the mail."""
        return self.email_body if self.uses_body else None


def read(document: Any) -> SendNotification | list[Fault]:
    """The body in a parsed JSON document, or everything that is wrong with its fields.

    An optional field that is null is as good as left out.
    """
    if not isinstance(document, dict):
        return [invalid("", "send a JSON object with the fields of sendNotification")]
    faults = list(_version_faults(document))
    if faults:
        return faults
    early = list(_early(document))
    faults = [*_type_faults(document), *_early_faults(document, early)]
    try:
        found = SendNotification.model_validate({name: value for name, value in document.items() if name not in early})
    except pydantic.ValidationError as error:
        return [*faults, *_faults(error)]
    return faults or found


def _version_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    version = document.get("version")
    if version is None:
        yield invalid("version", "is required; send 2, 3 or 4")
    elif type(version) is not int:
        yield invalid("version", "must be a whole number: 2, 3 or 4")
    elif version not in VERSIONS:
        yield invalid("version", _DEPRECATED if version == 1 else "is not supported; send 2, 3 or 4")


def _type_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    if document.get("type") == Kind.USER and document["version"] < _USER_SINCE:
        yield invalid("type", f"{Kind.USER} came with version {_USER_SINCE}; send version {_USER_SINCE}")


def _early(document: Mapping[str, Any]) -> Iterator[str]:
    """The fields that came with a later version than the document's; null is as good as left out."""
    return (name for name, value in document.items() if value is not None and _SINCE.get(name, 0) > document["version"])


def _early_faults(document: Mapping[str, Any], early: Sequence[str]) -> list[Fault]:
    version = document["version"]
    return [
        invalid(name, f"came with version {_SINCE[name]}; version {version} does not have it: remove it, or send "
                f"version {_SINCE[name]}")
        for name in early
    ]  # fmt: skip


_DETAILS = {
    "missing": "is required",
    "extra_forbidden": "is no field of sendNotification; remove it or correct its spelling",
    "enum": f"must be one of {', '.join(Kind)}",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be an array",
    "model_type": "must be an object with key and value",
    "string_too_short": "must not be empty",
}


def _faults(error: pydantic.ValidationError) -> list[Fault]:
    return [
        invalid(_field(part["loc"]), _detail(part)) for part in error.errors(include_url=False, include_input=False)
    ]


def _field(location: Sequence[str | int]) -> str:
    """A place in the body as people write it: `emailParams[0].key`."""
    whole = ""
    for part in location:
        name = str(part)[:_LONGEST_SHOWN_NAME]
        whole += f"[{part}]" if isinstance(part, int) else f".{name}" if whole else name
    return whole


def _detail(part: Mapping[str, Any]) -> str:
    said = part.get("ctx", {})
    if part["type"] == "string_too_long":
        return f"has more than {said['max_length']:,} characters; make it shorter"
    if part["type"] == "greater_than_equal":
        return "must be a positive whole number"
    return _DETAILS.get(part["type"]) or str(part["msg"]).removeprefix("Value error, ")
