"""What a tenant says about its mail, as properties: who it is from, where answers and bounces go, what signs it.

Pure. The console refuses what means nothing; the mail sink reads what was stored, by the same rules, so that no value
can begin a header of its own (RFC 5322, 2.2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

FROM = "mail.from"
REPLY_TO = "mail.reply_to"
BOUNCES_TO = "mail.bounces_to"
DKIM_SELECTOR = "mail.dkim_selector"
DESKTOP_URL = "mail.desktop_url"
INTERACT_URL = "mail.interact_url"

PREFIX = "mail."
NAMES = (FROM, REPLY_TO, BOUNCES_TO, DKIM_SELECTOR, DESKTOP_URL, INTERACT_URL)

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_SELECTOR = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_LINK = re.compile(r"(?:https?://[^/?#\s]|(?!https?:|javascript:|data:|vbscript:|file:|blob:)[a-z][a-z0-9+.-]*:)[^\s<>\"]*",
                   re.IGNORECASE)  # fmt: skip
_LONGEST_LINK = 1_024
_NAMED = re.compile(r"([^<>]*)<([^<>]*)>")
_LONGEST = 254
_LONGEST_NAME = 100
_LONGEST_BOUNCE_LOCAL = 64 - 33
"""A local part has 64 octets (RFC 5321, 4.5.3.1.1); `+` and the delivery's id take 33."""

_VERP = re.compile(r"\+([0-9a-f]{32})@", re.IGNORECASE)


class MailSettingError(ValueError):
    """Not a value that the property may have; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mail address in ASCII and the name shown with it, which may be any text of one line."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class Sender:
    """What a tenant's mails say about their sender; None is what the installation says.

    `desktop_url` and `interact_url` are where templates send their readers, None where that is nowhere.
    """

    from_: Address | None = None
    reply_to: Address | None = None
    bounces_to: str | None = None
    dkim_selector: str | None = None
    desktop_url: str | None = None
    interact_url: str | None = None


NOBODY = Sender()


def sender(properties: Mapping[str, Any] | None) -> Sender:
    """The sender that a tenant's stored properties describe; raises MailSettingError for what means nothing."""
    if not properties:
        return NOBODY
    given = {name: checked(name, value) for name, value in properties.items()}
    return Sender(
        given.get(FROM), given.get(REPLY_TO), given.get(BOUNCES_TO), given.get(DKIM_SELECTOR), given.get(DESKTOP_URL),
        given.get(INTERACT_URL),
    )  # fmt: skip


def checked(name: str, value: Any) -> Any:
    """The value of a mail property: an Address, an address, a selector or a link; None for '', which unsets it.

    Raises:
        MailSettingError: there is no such property of mail, or the value means nothing to it.
    """
    if name not in NAMES:
        raise MailSettingError(f"there is no such property; of mail there are {', '.join(NAMES)}")
    if not isinstance(value, str):
        raise MailSettingError("must be a text; an empty one unsets it")
    if not value:
        return None
    if name == DKIM_SELECTOR:
        return _selector(value)
    if name in {DESKTOP_URL, INTERACT_URL}:
        return _link(value)
    return _bounces_to(value) if name == BOUNCES_TO else address(value)


def address(text: str) -> Address:
    """An address as people write it, `Name <local@domain>` or `local@domain`; raises MailSettingError for others."""
    if not text.isprintable():
        raise MailSettingError("holds a control character or line break; write it on one line")
    name, plain = _parts(text)
    if not _ADDRESS.fullmatch(plain) or len(plain) > _LONGEST or ".." in plain:
        raise MailSettingError("must be a mail address in ASCII, such as: Acme Alarms <alarms@acme.example>")
    if len(name) > _LONGEST_NAME or _is_encoded(name):
        raise MailSettingError(f"the name before the address must be plain text of at most {_LONGEST_NAME} characters")
    return Address(name, plain)


def _parts(text: str) -> tuple[str, str]:
    """Name and address; the standard library's reader makes something of anything, which is not wanted here."""
    found = _NAMED.fullmatch(text.strip())
    if found is None:
        return "", text.strip()
    name = found[1].strip()
    is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return (re.sub(r"\\(.)", r"\1", name[1:-1]) if is_quoted else name), found[2]


def _is_encoded(name: str) -> bool:
    return "=?" in name


def _selector(text: str) -> str:
    if not _SELECTOR.fullmatch(text) or len(text) > _LONGEST:
        raise MailSettingError("must be a DKIM selector: letters, digits, hyphens and dots")
    return text


def _link(text: str) -> str:
    if len(text) > _LONGEST_LINK or not text.isprintable() or not _LINK.fullmatch(text):
        raise MailSettingError(f"must be a web address or a deep link of at most {_LONGEST_LINK:,} characters")
    return text


def _bounces_to(text: str) -> str:
    plain = address(text)
    if plain.name or len(plain.address.partition("@")[0]) > _LONGEST_BOUNCE_LOCAL or "+" in plain.address:
        raise MailSettingError(
            f"must be an address alone, with at most {_LONGEST_BOUNCE_LOCAL} characters and no + before its @;"
            " Tocsin puts +ID there"
        )
    return plain.address


def return_path(bounces_to: str, delivery: UUID) -> str:
    """Where a bounce of one delivery goes: the address with the delivery's id in it (VERP)."""
    local, _, domain = bounces_to.rpartition("@")
    return f"{local}+{delivery.hex}@{domain}"


def delivery_of(return_path: str) -> UUID | None:
    """The delivery that an address made by `return_path` names; None for any other text."""
    found = _VERP.search(return_path)
    return UUID(found[1]) if found else None
