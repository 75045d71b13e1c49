"""What fills a template of a mail: the params a sender gives, and those that each recipient has of their own (B7)."""

import re
from collections.abc import Iterable

BODY = "emailBody"
"""The param whose place a large HTML body takes; its own value is not used then (seed 001)."""

UNSUBSCRIBE_ADDRESS = "unsubcribeURL"
"""Spelled as the source does."""

PERSONAL = frozenset({"userFirstName", "desktopURL", "interactURL", UNSUBSCRIBE_ADDRESS})
"""Filled in per recipient, whatever value was sent for them."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
"""The name of a template."""


def lacking(required: Iterable[str], given: Iterable[str]) -> list[str]:
    """The params that a template needs and a sender has not given, in order; what is personal is never lacking."""
    return sorted(set(required) - set(given) - PERSONAL)
