"""What may be said about users, groups and members: at the console's API, in its files, on `directory.changes`.

The models are strict (unknown fields are errors), since a caller's misspelling must not be accepted and ignored.
"""

import functools
import zoneinfo
from typing import Annotated, Literal, Self
from uuid import UUID

import email_validator
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from shared.contract.directory import PARENT_KINDS, GroupKind, MemberStatus
from shared.contract.requests import ONE_LINE, Id, RequestModel, example

MAX_ROLES = 100
_LARGEST_VERSION = 2**63 - 1


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("is no IANA time zone; use a name such as Europe/Berlin")
    return name


def _address(text: str) -> str:
    """An address that mail can be sent to, as the relay takes it: the domain in ASCII. Names of intranets are fine."""
    try:
        found = email_validator.validate_email(
            text, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False, test_environment=True
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is no mail address: {error}") from error
    return found.ascii_email or found.normalized


def _without_slash(text: str) -> str:
    if "/" in text:
        raise ValueError("contains a slash, which separates a group's members in its address; leave it out")
    return text


ShortLine = Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE]
LongLine = Annotated[str, StringConstraints(min_length=1, max_length=255), ONE_LINE]
WallTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes of a day, such as 07:00."""
GroupId = Annotated[
    Id, AfterValidator(_without_slash), Field(json_schema_extra={"pattern": r"^[^/\x00-\x1f\x7f-\x9f]*$"})
]


_EMAIL = Field(json_schema_extra={"format": "email"})
_ZONE = Field(json_schema_extra={"format": "iana-time-zone"})


class QuietHours(RequestModel):
    """When a user wants no push and no mail outside the urgent lane, by the clocks of the user's time zone.

    Without a time zone that is UTC. `to` before `from` means the next day.
    """

    model_config = ConfigDict(validate_by_name=False)

    begins: Annotated[WallTime, Field(alias="from")]
    ends: Annotated[WallTime, Field(alias="to")]

    @model_validator(mode="after")
    def _is_part_of_a_day(self) -> Self:
        if self.begins == self.ends:
            raise ValueError("from and to are the same time; leave quiet hours out, or make them end at another")
        return self


class UserFields(RequestModel):
    """A user as a tenant describes it."""

    model_config = example(
        {"id": "ada", "email": "ada@example.com", "first_name": "Ada", "locale": "en-GB", "timezone": "Europe/London",
         "quiet_hours": {"from": "22:00", "to": "07:00"}}
    )  # fmt: skip

    id: Id | None = None
    login: LongLine | None = None
    email: Annotated[str, StringConstraints(max_length=254), ONE_LINE, AfterValidator(_address), _EMAIL] | None = None
    first_name: LongLine | None = None
    last_name: LongLine | None = None
    locale: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$", max_length=35)] | None
    ) = None
    timezone: Annotated[str, AfterValidator(_zone), _ZONE] | None = None
    quiet_hours: QuietHours | None = None
    kind: Literal["user", "system"] = "user"
    roles: Annotated[tuple[ShortLine, ...], Field(max_length=MAX_ROLES)] = ()


class UserEntry(UserFields):
    """A user with its id."""

    id: Id


class GroupFields(RequestModel):
    """A group as a tenant describes it; of which kind it is and its id are said elsewhere."""

    model_config = example({"name": "Service desk", "company": "3"})

    name: Annotated[str, StringConstraints(max_length=255), ONE_LINE] = ""
    company: Id | None = None
    parent: GroupId | None = None


class GroupKey(RequestModel):
    """Which group."""

    kind: GroupKind
    id: GroupId


class GroupEntry(GroupFields, GroupKey):
    """A group with its kind and id. A company's company is itself, and need not be named."""

    model_config = example({"kind": "team", "id": "23", "name": "Service desk", "company": "3"})

    @model_validator(mode="before")
    @classmethod
    def _a_company_is_its_own(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("kind") == GroupKind.COMPANY and given.get("company") is None:
            return {**given, "company": given.get("id")}
        return given

    @model_validator(mode="after")
    def _stands_where_its_kind_does(self) -> Self:
        above = PARENT_KINDS.get(self.kind)
        if self.company is None:
            raise ValueError(f"a group of kind {self.kind} needs a company")
        if self.kind is GroupKind.COMPANY and self.company != self.id:
            raise ValueError("the company of a company is itself; leave `company` out")
        if above is not None and self.parent is None:
            raise ValueError(f"a group of kind {self.kind} needs a parent: the id of its {above}")
        if above is None and self.parent is not None:
            raise ValueError(f"a group of kind {self.kind} has no parent; leave `parent` out")
        return self


class MemberFields(RequestModel):
    """How a user stands to a group."""

    model_config = example({"status": "accepted"})

    status: MemberStatus = MemberStatus.ACCEPTED


class MemberKey(RequestModel):
    """Which user in which group."""

    kind: GroupKind
    group: GroupId
    user: Id


class MemberEntry(MemberFields, MemberKey):
    """A user's membership of a group."""

    model_config = example({"kind": "team", "group": "23", "user": "ada", "status": "accepted"})


class UserKey(RequestModel):
    """Which user."""

    id: Id


_ONE_OF_REMOVED = ("user", "group", "member")
_ONE_OF = (*_ONE_OF_REMOVED, "removed")


def _exactly_one(names: tuple[str, ...]) -> dict[str, JsonValue]:
    """In JSON Schema: one of these fields is there, and none but that one."""
    return {"oneOf": [{"required": [name]} for name in names]}


def _one_of(entry: RequestModel, names: tuple[str, ...]) -> None:
    if sum(name in entry.model_fields_set for name in names) != 1 or all(
        getattr(entry, name) is None for name in names
    ):
        raise ValueError(f"say exactly one of {', '.join(names)}")


class Removed(RequestModel):
    """What is no longer there: a user with all memberships, a group with its members and parts, or a membership."""

    model_config = ConfigDict(json_schema_extra=_exactly_one(_ONE_OF_REMOVED))

    user: UserKey | None = None
    group: GroupKey | None = None
    member: MemberKey | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        _one_of(self, _ONE_OF_REMOVED)
        return self


class DirectoryChanged(RequestModel):
    """How one user, group or membership is now, on `directory.changes`: told whole, so that the newest is enough.

    `version` orders the records about one thing, however late they come: one that is not larger changes nothing.
    """

    model_config = ConfigDict(json_schema_extra=_exactly_one(_ONE_OF))

    type: Literal["tocsin.directory.changed.v1"]
    id: UUID
    at: AwareDatetime
    tenant: Id
    version: Annotated[int, Field(ge=0, le=_LARGEST_VERSION)]
    user: UserEntry | None = None
    group: GroupEntry | None = None
    member: MemberEntry | None = None
    removed: Removed | None = None

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        _one_of(self, _ONE_OF)
        return self
