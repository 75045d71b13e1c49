"""What a link into the web is, wherever one is taken."""

import re
import urllib.parse

_PLAIN = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?(?:[/?#]|\Z)")
"""What nearly every link looks like; the others are taken apart."""

UNSAFE_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", "view-source"})
"""Schemes that run or show what their text says; every other one may be an app's deep link."""


def is_web_address(link: str) -> bool:
    """Whether a text is an absolute http or https address."""
    if _PLAIN.match(link):
        return True
    try:
        parts = urllib.parse.urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
