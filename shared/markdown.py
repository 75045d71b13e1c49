"""A description's CommonMark as HTML that is safe to show, and as plain text; both for mails and inboxes.

Two guards stand behind each other: the parser lets no raw HTML through and makes links of three schemes only, and
what it writes is sanitised again. Images are not taken, since loading one tells its owner who reads.
"""

import functools
import textwrap
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

LINK_SCHEMES = frozenset({"http", "https", "mailto"})
_TAGS = {
    "p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr",
    "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_REMEMBERED = 512
"""One notification reaches many recipients: its description is rendered once for all of them."""


def is_link(url: str) -> bool:
    """Whether a URL may be shown as a link: absolute, http, https or mailto, without spaces or control characters."""
    if any(character.isspace() or not character.isprintable() for character in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in LINK_SCHEMES and bool(parts.path if parts.scheme == "mailto" else parts.netloc)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable("image")
    setattr(parser, "validateLink", is_link)  # noqa: B010 - the library's documented way to narrow its links
    return parser


_PARSER = _parser()
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes=set(LINK_SCHEMES),
    url_relative="deny",
)


@functools.lru_cache(maxsize=_REMEMBERED)
def _tokens(markdown: str) -> tuple[Token, ...]:
    return tuple(_PARSER.parse(markdown))


@functools.lru_cache(maxsize=_REMEMBERED)
def to_html(markdown: str) -> str:
    """Sanitised HTML of a description: block elements, no raw HTML, links with `rel` to safe schemes only."""
    return _CLEANER.clean(_PARSER.renderer.render(_tokens(markdown), _PARSER.options, {})).strip()


@functools.lru_cache(maxsize=_REMEMBERED)
def to_text(markdown: str) -> str:
    """A description as plain text: a link as `words <address>`, list items with a dash or their number."""
    writer = _TextWriter()
    for token in _tokens(markdown):
        writer.write(token)
    return writer.text()


class _TextWriter:
    """Blocks one below the other; quotations and lists are marked at the start of their lines."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._marks: list[str] = []

    def text(self) -> str:
        """What was written, with no more than one empty line in a row."""
        lines = self._lines
        kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
        return "\n".join(kept).strip("\n")

    def write(self, token: Token) -> None:
        kind, _, edge = token.type.rpartition("_")
        if kind in {"bullet_list", "ordered_list", "blockquote"}:
            self._nest(kind, edge)
        elif token.type == "list_item_open":
            self._marks[-1] = f"{token.info}. " if token.info else "- "
        elif token.type == "inline":
            self._block("".join(_inline_text(token.children or ())))
        elif token.type in {"fence", "code_block"}:
            self._block(textwrap.indent(token.content.rstrip("\n"), "    "))
            self._lines.append("")
        elif token.type in {"paragraph_close", "heading_close"} and not token.hidden:
            self._lines.append("")

    def _nest(self, kind: str, edge: str) -> None:
        if edge == "open":
            self._marks.append("> " if kind == "blockquote" else "")
        else:
            self._marks.pop()
            self._lines += [] if self._marks else [""]

    def _block(self, text: str) -> None:
        """Lines behind the marks around them; a list's own mark stands only on the first line of its item."""
        for line in text.split("\n"):
            self._lines.append(("".join(self._marks) + line).rstrip())
            self._marks = [mark if mark == "> " else " " * len(mark) for mark in self._marks]


def _inline_text(children: Sequence[Token]) -> Iterator[str]:
    shown: list[str] = []
    address = ""
    for token in children:
        if token.type in {"text", "code_inline"}:
            shown.append(token.content)
            yield token.content
        elif token.type in {"softbreak", "hardbreak"}:
            yield "\n"
        elif token.type == "link_open":
            shown, address = [], str(token.attrs["href"])
        elif token.type == "link_close" and "".join(shown) not in {address, address.removeprefix("mailto:")}:
            yield f" <{address}>"
