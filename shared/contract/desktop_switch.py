"""Whether a tenant takes Desktop Assistant notifications (A2): a property of the tenant, on where it is not set.

Pure. The console refuses what is neither on nor off; ingest asks what was stored.
"""

from collections.abc import Mapping
from typing import Any

PROPERTY = "sn_dex_desktop.enable_push_notification"

_WORDS = {"true": True, "false": False}


class SwitchError(ValueError):
    """Neither on nor off; the message says what to write instead."""


def checked(value: Any) -> bool:
    """Whether the value means on; like the source's, it may be a word.

    Raises:
        SwitchError: it means neither.
    """
    meant = _WORDS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(meant, bool):
        raise SwitchError("must be true or false")
    return meant


def is_on(properties: Mapping[str, Any]) -> bool:
    """Whether a tenant with these properties takes them; what is stored and means nothing is off."""
    try:
        return checked(properties.get(PROPERTY, True))
    except SwitchError:
        return False
