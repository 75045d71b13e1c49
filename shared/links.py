"""The campaign tag in every link of a notification (B9): of an address, of a text, of a mail's HTML."""

import html as html_text
import re
import urllib.parse
from collections.abc import Mapping

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{1,31}://"
"""How an address begins that is one wherever it is found, of the web or of an app; `C://` and `a:b` may be anything."""

_ADDRESS = re.compile(_SCHEME)
_LINK_IN_TEXT = re.compile(_SCHEME + r"[^\s<>\"'`)\]}]+")
_TRAILING = ".,;:!?*"
"""What ends a sentence, or Markdown's emphasis, not the address at its end."""

_HREF = re.compile(
    r"(<(?:a|area)\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?\shref\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)", re.IGNORECASE
)
_NOT_LINKS = ("mailto:", "tel:", "sms:", "#", "cid:", "javascript:", "data:")


def tagged(address: str, query: Mapping[str, str]) -> str:
    """An address with parameters put into its query, each once; what stands there already stays.

    Addresses of apps (`app://…`) have queries as those of the web do. Mail and telephone addresses stay as they are.
    """
    if not query or address.lower().startswith(_NOT_LINKS) or not address:
        return address
    body, mark, fragment = address.partition("#")
    path, _, given = body.partition("?")
    names = {part.partition("=")[0] for part in given.split("&")}
    added = [
        f"{urllib.parse.quote(name, safe='')}={urllib.parse.quote(value, safe='')}"
        for name, value in query.items()
        if name not in names
    ]
    return path + ("?" + "&".join([*filter(None, [given]), *added]) if given or added else "") + mark + fragment


def tagged_text(text: str, query: Mapping[str, str]) -> str:
    """A text, or Markdown, with parameters in every address (`scheme://…`) it holds."""

    def one(found: re.Match[str]) -> str:
        address = found[0].rstrip(_TRAILING)
        return tagged(address, query) + found[0][len(address) :]

    return _LINK_IN_TEXT.sub(one, text) if query else text


def tagged_html(html: str, query: Mapping[str, str], but: str = "") -> str:
    """HTML with parameters in the address (`scheme://…`) of every link but one; nothing else of it changes."""

    def one(found: re.Match[str]) -> str:
        written = found[2]
        address = html_text.unescape(written[1:-1] if written[0] in "\"'" else written).strip()
        changed = tagged(address, query) if address != but and _ADDRESS.match(address) else address
        return found[0] if changed == address else f'{found[1]}"{html_text.escape(changed)}"'

    return _HREF.sub(one, html) if query else html
