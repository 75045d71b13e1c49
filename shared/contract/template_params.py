"""What fills a template of a mail: the params a sender gives, and those that each recipient has of their own (B7)."""

import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field

BODY = "emailBody"
"""The param whose place a large HTML body takes; its own value is not used then (seed 001)."""

SUBJECT = "emailSubject"
"""The subject of the mail, for templates that show it."""

UNSUBSCRIBE_ADDRESS = "unsubcribeURL"
"""Spelled as the source does."""

FIRST_NAME, DESKTOP_ADDRESS, INTERACT_ADDRESS = "userFirstName", "desktopURL", "interactURL"

PERSONAL = frozenset({FIRST_NAME, DESKTOP_ADDRESS, INTERACT_ADDRESS, UNSUBSCRIBE_ADDRESS})
"""Filled in per recipient, whatever value was sent for them."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
"""The name of a template."""


class TemplateMail(BaseModel):
    """The mail that a template makes of a notification, at once and for every recipient.

    `body_ref` names the large body (SHA-256, hex) that is the param `emailBody`. `link_query` are the parameters that
    every link of the mail has in its query.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    template: str
    subject: str
    params: Mapping[str, str] = Field(default_factory=dict)
    body_ref: str | None = None
    link_query: Mapping[str, str] = Field(default_factory=dict)


def given(params: Iterable[str], body_ref: str | None) -> set[str]:
    """The names of all that a template is filled with besides what is personal."""
    return {*params, SUBJECT, *({BODY} if body_ref else ())}


def lacking(required: Iterable[str], given: Iterable[str]) -> list[str]:
    """The params that a template needs and a sender has not given, in order; what is personal is never lacking."""
    return sorted(set(required) - set(given) - PERSONAL)
