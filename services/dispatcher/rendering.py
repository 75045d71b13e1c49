"""What a mail says: subject, HTML and text of a digest or of one notification, as plain functions of values.

The template's CSS is inlined once, when it is first used; a mail then costs one fill-in of two templates. What
upstream systems wrote is escaped or sanitised, and links reach http, https and mailto only.
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import css_inline
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from shared import markdown, words
from shared.contract.importance import STANDARD_OPTIONS, Importance
from shared.contract.messages import RelatedItem
from shared.contract.outcomes import NotificationState
from shared.words import Words

_LONGEST_SUBJECT = 200
"""Characters. Mail programs show fewer than 80; RFC 5322 allows 998 bytes a line."""

_COLOURS = {
    "bg-danger": "#dc3545",
    "bg-warning": "#ffc107",
    "bg-primary": "#0d6efd",
    "bg-success": "#198754",
    "bg-info": "#0dcaf0",
    "bg-secondary": "#6c757d",
    "bg-dark": "#212529",
}
"""The colours of the Bootstrap classes that seed 002 names, and their two neutral sisters."""
_NO_COLOUR = "#adb5bd"

_ENGLISH = Locale("en")


@dataclass(frozen=True, slots=True)
class MailItem:
    """One notification as a mail shows it; `description` is Markdown, `created_at` aware."""

    name: str
    description: str
    importance: Importance
    css_class: str
    created_at: datetime
    state: NotificationState
    action_url: str | None = None
    items: tuple[RelatedItem, ...] = ()


@dataclass(frozen=True, slots=True)
class MailRecipient:
    """Who reads; `locale` (BCP 47 or POSIX) gives words and dates, `timezone` (IANA) times.

    A locale that is not known reads as English, as do the words for one whose language the product does not speak;
    a time zone that is not known reads as UTC.
    `unsubscribe` is the link by which these mails are ended, None where they cannot be.
    """

    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    unsubscribe: str | None = None


@dataclass(frozen=True, slots=True)
class LargeBody:
    """HTML that many mails have in common: where a mail says `stand_in`, `encoded` goes out (base64, whole lines)."""

    stand_in: str
    encoded: bytes
    text: str


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """A mail without its envelope; the subject is one line. `body` stands in its HTML by its stand-in."""

    subject: str
    html: str
    text: str
    body: LargeBody | None = None


@dataclass(frozen=True, slots=True)
class Unshown:
    """Notifications of a digest that it only counts, and how many of them need action."""

    count: int
    needing_action: int


_NONE_UNSHOWN = Unshown(0, 0)


def digest_mail(
    class_name: str, items: Sequence[MailItem], recipient: MailRecipient, unshown: Unshown = _NONE_UNSHOWN
) -> RenderedMail:
    """One mail with every notification of a class (C9), in the order they are given; what it does not show, it counts.

    Raises:
        ValueError: no items; an empty digest is not a mail.
    """
    if not items:
        raise ValueError("a digest without items is skipped, not rendered")
    said = words.of(recipient.locale)
    subject = said.counted("mail", "digest", len(items) + unshown.count, name=class_name)
    waiting = unshown.needing_action + sum(item.state is NotificationState.ACTION_REQUIRED for item in items)
    if waiting:
        needing = said.counted("mail", "needing_action", waiting)
        subject = said.text("mail", "digest_needing_action", digest=subject, needing_action=needing)
    subject = one_line(subject)
    more = said.counted("mail", "more", unshown.count) if unshown.count else ""
    return _rendered(_Head(subject, subject, more), items, recipient)


def immediate_mail(item: MailItem, recipient: MailRecipient) -> RenderedMail:
    """One mail for one notification; its name is the subject."""
    return _rendered(_Head(one_line(item.name)), [item], recipient)


@dataclass(frozen=True, slots=True)
class _Head:
    """What a mail says around its items; `more` is its last line."""

    subject: str
    heading: str = ""
    more: str = ""


def _rendered(head: _Head, items: Sequence[MailItem], recipient: MailRecipient) -> RenderedMail:
    html, text = _templates()
    said = words.of(recipient.locale)
    values = {
        "language": said.language,
        "direction": said.direction,
        "subject": head.subject,
        "heading": head.heading,
        "greeting": _greeting(recipient, said),
        "items": [_shown(item, recipient, said) for item in items],
        "more": head.more,
        "unsubscribe": recipient.unsubscribe,
        "unsubscribe_words": said.text("mail", "unsubscribe"),
    }
    return RenderedMail(head.subject, html.render(values), text.render(values))


def _greeting(recipient: MailRecipient, said: Words) -> str:
    name = one_line(" ".join(part for part in (recipient.first_name, recipient.last_name) if part))
    return said.text("mail", "greeting_by_name", name=name) if name else said.text("mail", "greeting")


def one_line(text: str, longest: int = _LONGEST_SUBJECT) -> str:
    """Text for a header: no line break can begin another header, and no control can hide or turn what follows."""
    if not text.isprintable():
        text = "".join(map(_printable, text))
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _printable(character: str) -> str:
    if unicodedata.bidirectional(character) in _TURNING:
        return ""
    return " " if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} else character


_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Bidirectional controls, which make a subject read as something else."""


def _shown(item: MailItem, recipient: MailRecipient, said: Words) -> dict[str, Any]:
    """An item as the templates name its parts."""
    facts = (
        said.text("importance", item.importance),
        said.text("state", item.state),
        _local(item.created_at.replace(second=0, microsecond=0), recipient.locale, recipient.timezone),
    )
    acting = item.action_url if item.action_url and markdown.is_link(item.action_url) else None
    return {
        "name": item.name,
        "facts": " · ".join(fact for fact in facts if fact),
        "colour": _COLOURS.get(item.css_class) or _COLOURS.get(STANDARD_OPTIONS[item.importance].css_class, _NO_COLOUR),
        "html": Markup(markdown.to_html(item.description)),  # noqa: S704 - sanitised by nh3
        "text": markdown.to_text(item.description),
        "action_url": acting,
        "action": said.text("mail", "act" if item.state is NotificationState.ACTION_REQUIRED else "open"),
        "links": [(f"{each.table} {each.id}", each.url if markdown.is_link(each.url or "") else None)
                  for each in item.items],
    }  # fmt: skip


@functools.lru_cache(maxsize=1024)
def _local(moment: datetime, locale: str | None, timezone: str | None) -> str:
    """Date and time of a minute, which many mails share; UTC is named, the reader's own zone is not."""
    language, zone = _language(locale), _zone(timezone)
    local = moment.astimezone(zone)
    told = f"{format_date(local, 'medium', language)} {format_time(local, 'short', tzinfo=zone, locale=language)}"
    return f"{told} UTC" if zone is UTC else told


@functools.lru_cache(maxsize=256)
def _language(locale: str | None) -> Locale:
    try:
        return Locale.parse(locale.replace("-", "_")) if locale else _ENGLISH
    except (ValueError, UnknownLocaleError):
        return _ENGLISH


@functools.lru_cache(maxsize=1024)
def _zone(timezone: str | None) -> tzinfo:
    try:
        return ZoneInfo(timezone) if timezone else UTC
    except (KeyError, ValueError, OSError):
        return UTC


@functools.cache
def _templates() -> tuple[Template, Template]:
    """The HTML template with its CSS inlined, and the text template."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mail.html"), environment.get_template("mail.txt")


def _source(name: str) -> str:
    """A template's text. Jinja's marks stand where HTML has text, so the inliner leaves them alone."""
    source = (resources.files("services.dispatcher") / "templates" / name).read_text()
    return css_inline.inline(source, load_remote_stylesheets=False) if name.endswith(".html") else source
