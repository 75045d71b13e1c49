"""Preferences over HTTP, the same for a tenant's admin and for a recipient: shapes, and what they come to (X7)."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from shared.contract.outcomes import Channel
from shared.contract.requests import ONE_LINE, Id, RequestModel, example
from shared.postgres import preferences
from shared.postgres.pool import Connection
from shared.postgres.preferences import About, PreferenceState
from shared.runtime import pages
from shared.runtime.problems import ProblemError

_Line = Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE]
ClassKey = Annotated[_Line | None, Query(alias="class", description="The communication class; none is any.")]
Asset = Annotated[_Line | None, Query(description="What the notification is about; none is any.")]
ByChannel = Annotated[Literal["push", "email"], Query(description="Which channel.")]

_LAST: TypeAdapter[tuple[str, Channel, str | None, str | None]] = TypeAdapter(
    tuple[Id, Channel, Annotated[str, ONE_LINE] | None, Annotated[str, ONE_LINE] | None]
)


UNKNOWN_USER: dict[int | str, dict[str, Any]] = {404: {"description": "The directory knows no such user."}}
NOTHING_SAID: dict[int | str, dict[str, Any]] = {404: {"description": "Nothing was said about exactly this."}}


class PreferenceFields(RequestModel):
    """What is wanted or not; without `class` and `asset` of any class and asset."""

    model_config = example({"channel": "email", "class": "offers", "state": "unsubscribed"})

    channel: Literal["push", "email"]
    class_key: Annotated[_Line | None, Field(alias="class")] = None
    asset: _Line | None = None
    state: PreferenceState

    def about(self, recipient: str) -> About:
        """What the fields are about, for a recipient."""
        return About(recipient, Channel(self.channel), self.class_key, self.asset)


class Preference(BaseModel):
    """What a recipient said about push or mail, of a class, an asset, both, or (null) any."""

    model_config = ConfigDict(frozen=True)

    recipient: str
    channel: Channel
    class_key: Annotated[str | None, Field(serialization_alias="class")]
    asset: str | None
    state: PreferenceState
    changed_at: datetime


async def listed(
    connection: Connection, tenant: str, recipient: str | None, cursor: pages.Cursor, limit: int
) -> pages.Page[Preference]:
    """A page of what was said, by one recipient where one is given; 422 for a cursor that is none."""
    last = pages.decoded(cursor, _LAST)
    behind = None if last is None else About(*last)
    found = await preferences.after(connection, tenant, recipient, behind, limit + 1)
    return pages.page([_seen(one) for one in found], limit, _place)


async def put(connection: Connection, tenant: str, about: About, state: PreferenceState) -> Preference:
    """Keep what a recipient wants; 404 where the directory does not know the recipient."""
    if not await preferences.is_user(connection, tenant, about.recipient):
        raise ProblemError(HTTPStatus.NOT_FOUND, "there is no such user; make it with PUT /v1/users/{user}")
    return _seen(await preferences.put(connection, tenant, about, state))


async def delete(connection: Connection, tenant: str, about: About) -> None:
    """Forget what was said about exactly this, so that what is said more generally holds; 404 where nothing was."""
    if not await preferences.delete(connection, tenant, about):
        raise ProblemError(HTTPStatus.NOT_FOUND, "there is no such preference")


def _seen(found: preferences.Preference) -> Preference:
    about = found.about
    return Preference(
        recipient=about.recipient,
        channel=about.channel,
        class_key=about.class_key,
        asset=about.asset,
        state=found.state,
        changed_at=found.changed_at,
    )


def _place(found: Preference) -> list[str | None]:
    return [found.recipient, found.channel, found.class_key, found.asset]
