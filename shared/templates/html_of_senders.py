"""HTML that senders give as a param: cleaned of what runs, loads or asks, and turned into text."""

import functools
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import nh3
from markupsafe import Markup

from shared.contract.web_addresses import UNSAFE_SCHEMES

_STYLING = {"style", "align", "valign", "bgcolor", "width", "height", "class", "dir", "lang", "title"}
_ATTRIBUTES = {
    "*": _STYLING,
    "a": {"href", "name", "target"},
    "img": {"src", "alt", "border"},
    "table": {"border", "cellpadding", "cellspacing", "role"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "font": {"color", "face", "size"},
    "ol": {"start"},
}
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_DEEP_LINK = re.compile(r"\shref\s*+=\s*+(?:[\"']\s*+)?([a-z][a-z0-9+.-]{1,31})://", re.IGNORECASE)
_MOST_APPS = 16
"""Schemes of apps in one HTML; the links of further ones lose their address."""
_LONGEST_READ = 500_000
"""Characters of HTML that are turned into text; nobody reads on in a text part."""

_SILENT = frozenset({"head", "script", "style", "title"})
_BLOCKS = frozenset({
    "address", "article", "blockquote", "br", "div", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
    "li", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
_APART = frozenset({"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "table", "ul"})
_GAPS = re.compile(r"\n{3,}")


class Sanitised(str):
    """HTML that was sanitised before, or stands for some that was: it is shown as it is."""

    __slots__ = ()


def sanitised(html: str) -> Markup:
    """HTML for a mail without scripts, forms, frames and style sheets.

    Links lead to http, https, mailto, tel and into apps (`scheme://…`); images come from the web.
    """
    if isinstance(html, Sanitised):
        return Markup(html)  # noqa: S704 - cleaned before
    apps = {scheme.lower() for scheme in _DEEP_LINK.findall(html)} - _SCHEMES - UNSAFE_SCHEMES
    return Markup(_cleaner(frozenset(sorted(apps)[:_MOST_APPS])).clean(str(html)))  # noqa: S704 - cleaned by nh3


@functools.lru_cache(maxsize=64)
def _cleaner(apps: frozenset[str]) -> nh3.Cleaner:
    """What cleans HTML that links into these apps."""
    return nh3.Cleaner(
        tags=nh3.ALLOWED_TAGS | {"font", "tfoot"},
        attributes=_ATTRIBUTES,
        attribute_filter=_without_images_of_apps if apps else None,
        url_schemes=set(_SCHEMES | apps),
        link_rel="noopener noreferrer",
        url_relative="deny",
    )


def _without_images_of_apps(_tag: str, attribute: str, value: str) -> str | None:
    return None if attribute == "src" and not value.lower().startswith(("http://", "https://")) else value


def text_of(html: str) -> str:
    """HTML as plain text: blocks one below the other, a link as `words <address>`, images as what stands for them."""
    reader = _Reader()
    reader.feed(html[:_LONGEST_READ])
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = [""]
        self._silent = 0
        self._link: tuple[str, list[str]] | None = None

    def text(self) -> str:
        """What was read, with no more than one empty line in a row."""
        return _GAPS.sub("\n\n", "\n".join(" ".join(line.split()) for line in self._lines)).strip()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._silent += tag in _SILENT
        self._break(tag)
        if tag == "a":
            self._link = (given.get("href") or "", [])
        elif tag == "img":
            self.handle_data(given.get("alt") or "")
        elif tag == "li":
            self._lines[-1] += "- "
        elif tag in {"td", "th"}:
            self._lines[-1] += " "

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        if tag == "a" and self._link is not None:
            (address, words), self._link = self._link, None
            if address and " ".join(words) != address:
                self._lines[-1] += f" <{address}>"
        if tag != "br":
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._silent or not data:
            return
        words = data.split()
        if self._link is not None:
            self._link[1].extend(words)
        before, after = data[0].isspace(), data[-1].isspace()
        self._lines[-1] += " " * before + " ".join(words) + " " * (after and bool(words))

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS and (self._lines[-1].strip() or tag in _APART):
            self._lines.append("")
