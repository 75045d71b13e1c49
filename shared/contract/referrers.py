"""Where the referrer of a Desktop Assistant notification leads (A8): a pattern that is a property of the tenant.

Pure. The console refuses a pattern that makes no link; ingest fills in what was stored, by the same rules.
"""

import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from shared.contract.web_addresses import is_web_address

PROPERTY = "sn_dex_desktop.referrer_url"

_LONGEST = 1_024
_BEGINNING = re.compile(r"[^/]*//[^/?#]*")
_NO_ADDRESS = re.compile(r"[\s<>\"{}]")


class ReferrerPatternError(ValueError):
    """Not a value that the property may have; the message says what to write instead."""


def checked(value: Any) -> str | None:
    """The pattern of the property; None for '', which unsets it.

    Raises:
        ReferrerPatternError: it makes no link.
    """
    if not isinstance(value, str):
        raise ReferrerPatternError("must be a text; an empty one unsets it")
    if not value:
        return None
    sample = _filled(value, "table", "id")
    if len(value) > _LONGEST or not value.isprintable() or _NO_ADDRESS.search(sample) or not is_web_address(sample):
        raise ReferrerPatternError(
            f"must be an http or https address of at most {_LONGEST:,} characters, in which {{table}} and {{id}}"
            " stand for the referrer's, such as https://crm.example/{table}?sys_id={id}"
        )
    if "{" in (_BEGINNING.match(value) or [""])[0]:
        raise ReferrerPatternError("must name its host itself; put {table} and {id} behind it")
    return value


def link(properties: Mapping[str, Any], table: str, key: str) -> str | None:
    """Where a record is, None where its tenant never said so, or not in a way that makes a link."""
    try:
        pattern = checked(properties.get(PROPERTY, ""))
    except ReferrerPatternError:
        return None
    return None if pattern is None else _filled(pattern, table, key)


def _filled(pattern: str, table: str, key: str) -> str:
    values = {"{table}": urllib.parse.quote(table, safe=""), "{id}": urllib.parse.quote(key, safe="")}
    return re.sub(r"{table}|{id}", lambda found: values[found[0]], pattern)
