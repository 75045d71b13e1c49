"""A mail as bytes for the wire: multipart text and HTML, built in a hundredth of what EmailMessage takes. Pure.

Held against the standard library's parser by tests. Lines end in CRLF and are never longer than 998 bytes.
"""

import base64
import binascii
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, formataddr

from services.dispatcher.rendering import RenderedMail
from shared.contract.mail_settings import Address

_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f\"(),:;<>@\[\\\]]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_LONGEST_ADDRESS = 254
_LONGEST_ENCODED_BYTES = 45
"""Bytes within one encoded word: 60 characters of base64, so that the word stays within 75 (RFC 2047)."""

# Quoted-printable writes no "=" but before two digits or a line's end, so the boundary cannot occur in a part.
_BOUNDARY = "=_tocsin"

_SHAPE = (
    "From: {sender}\r\n"
    "To: {recipient}\r\n"
    "Subject: {subject}\r\n"
    "Date: {date}\r\n"
    "Message-ID: <{message_id}>\r\n"
    "Auto-Submitted: auto-generated\r\n"
    "{more}"
    "MIME-Version: 1.0\r\n"
    'Content-Type: multipart/alternative; boundary="' + _BOUNDARY + '"\r\n'
    "\r\n"
)
_UNSUBSCRIBE = "List-Unsubscribe: <{link}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
_LONGEST_LINK_PART = 900
"""Bytes; a reader ignores white space within the brackets (RFC 2369, 2), so that a long link may be folded."""

_PART = f"--{_BOUNDARY}\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n"
_TEXT_PART, _HTML_PART, _LARGE_HTML_PART = (
    (_PART % kind).encode()
    for kind in (("plain", "quoted-printable"), ("html", "quoted-printable"), ("html", "base64"))
)
_LINE_BYTES = 57
"""What a line of 76 characters holds in base64."""
_END = f"--{_BOUNDARY}--\r\n".encode()


class UndeliverableAddressError(ValueError):
    """Not an address that a mail can be sent to."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a mail says besides its subject; `sender` and `reply_to` as `address` writes them.

    `unsubscribe` is a link that ends by one POST (RFC 8058).
    """

    sender: str
    recipient: str
    message_id: str
    date: datetime
    reply_to: str | None = None
    unsubscribe: str | None = None


def mailbox(address: str) -> str:
    """An address in the form mail servers read: its domain in ASCII.

    Raises:
        UndeliverableAddressError: not a plain `local@domain`, or a domain that no ASCII form exists of.
    """
    local, _, domain = address.rpartition("@")
    try:
        plain = f"{local}@{domain.encode('idna').decode() if not domain.isascii() else domain}"
    except UnicodeError as error:
        raise UndeliverableAddressError("the domain of the address has no ASCII form") from error
    if len(plain) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(plain):
        raise UndeliverableAddressError("the address is not one that a mail can be sent to")
    return plain


def address(of: Address) -> str:
    """An address and its name as a header holds them (RFC 5322, 3.4); names beyond ASCII in encoded words."""
    if of.name.isascii():
        return formataddr((of.name, of.address))
    return f"{_encoded(of.name)}\r\n <{of.address}>"


def message(header: Header, mail: RenderedMail) -> bytes:
    """The mail; UTF-8 in the header only where the recipient's own address needs it (SMTPUTF8)."""
    head = _SHAPE.format(
        sender=header.sender if header.reply_to is None else f"{header.sender}\r\nReply-To: {header.reply_to}",
        recipient=header.recipient,
        subject=_encoded(mail.subject),
        date=_date(header.date.replace(microsecond=0)),
        message_id=header.message_id,
        more="" if header.unsubscribe is None else _UNSUBSCRIBE.format(link=_folded(header.unsubscribe)),
    )
    return b"".join((
        head.encode(), _TEXT_PART, _quoted(mail.text), b"\r\n", *_html_part(mail), b"\r\n", _END,
    ))  # fmt: skip


@functools.lru_cache(maxsize=64)
def _date(second: datetime) -> str:
    """A moment as a header says it; mails of the same second share it."""
    return format_datetime(second)


def _folded(link: str) -> str:
    parts = [link[start : start + _LONGEST_LINK_PART] for start in range(0, len(link), _LONGEST_LINK_PART)]
    return "\r\n ".join(parts)


def base64_lines(text: str) -> bytes:
    """Text in base64, which other such lines may stand before and behind: blanks at its end make the last one full."""
    content = text.encode(errors="replace")
    padded = content + b" " * (-len(content) % _LINE_BYTES)
    return base64.encodebytes(padded).replace(b"\n", b"\r\n")


def _html_part(mail: RenderedMail) -> Iterator[bytes]:
    if mail.body is None:
        yield from (_HTML_PART, _quoted(mail.html))
        return
    first, *others = mail.html.split(mail.body.stand_in)
    yield from (_LARGE_HTML_PART, base64_lines(first))
    for other in others:
        yield from (mail.body.encoded, base64_lines(other))


def _encoded(subject: str) -> str:
    """A subject as RFC 2047 wants it; a plain one stays readable."""
    line = " ".join(subject.split())
    if line.isascii() and line.isprintable() and "=?" not in line:
        return line
    words = [f"=?utf-8?b?{base64.b64encode(chunk).decode()}?=" for chunk in _chunks(line)]
    return "\r\n ".join(words)


def _chunks(line: str) -> list[bytes]:
    """UTF-8 in pieces that split no character."""
    chunks = [b""]
    for character in line:
        encoded = character.encode(errors="replace")
        if len(chunks[-1]) + len(encoded) > _LONGEST_ENCODED_BYTES:
            chunks.append(b"")
        chunks[-1] += encoded
    return chunks


def _quoted(text: str) -> bytes:
    """Text in quoted-printable, every line end CRLF; the last one too, else the encoder breaks long lines with LF."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return binascii.b2a_qp(f"{lines}\r\n".encode(errors="replace"), istext=True)
