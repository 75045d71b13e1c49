"""A caught mail: raw while it is stored, parsed when somebody reads it."""

import datetime as dt
import email
import email.header
import email.message
import email.parser
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mail:
    """One SMTP transaction: its envelope and the bytes between DATA and the final dot."""

    number: int
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    received_at: dt.datetime

    @property
    def size(self) -> int:
        """Bytes of the message."""
        return len(self.raw)

    def is_to(self, address: str) -> bool:
        """Whether it was sent to this address; case does not count."""
        wanted = address.casefold()
        return any(recipient.casefold() == wanted for recipient in self.recipients)

    @property
    def parsed(self) -> email.message.Message:
        """The message; parsed anew each time, so that reading does not double what is held."""
        # The old policy: the new one takes ten times as long, and thousands of mails are read at once.
        return email.message_from_bytes(self.raw)

    def document(self) -> dict[str, Any]:
        """The JSON of `GET /api/mails`."""
        message = self.parsed
        headers = _headers(message)
        return {
            "id": str(self.number),
            "from": self.sender,
            "to": ", ".join(self.recipients),
            "subject": _decoded(message.get("Subject", "")),
            "message_id": _decoded(message.get("Message-ID", "")),
            "headers": headers,
            "text": body(message, "text/plain"),
            "html": body(message, "text/html"),
            "received_at": self.received_at.isoformat(),
        }

    def summary(self) -> dict[str, str]:
        """What the list page shows; reads the head of the message only."""
        head = email.parser.BytesHeaderParser().parsebytes(self.raw)
        return {
            "id": str(self.number),
            "from": self.sender,
            "to": ", ".join(self.recipients),
            "subject": _decoded(head.get("Subject", "")),
            "received_at": f"{self.received_at:%H:%M:%S}",
        }


def body(message: email.message.Message, content_type: str) -> str:
    """The text of the first such part that is no attachment, empty when there is none."""
    for part in message.walk():
        if part.get_content_type() == content_type and part.get_content_disposition() != "attachment":
            payload = part.get_payload(decode=True)
            return _text(payload, part.get_content_charset("utf-8")) if isinstance(payload, bytes) else ""
    return ""


def _text(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except LookupError:  # a charset nobody knows
        return payload.decode("utf-8", "replace")


def _headers(message: email.message.Message) -> dict[str, str]:
    """Name → value, decoded; a repeated header's values on lines of their own."""
    merged: dict[str, str] = {}
    for name, value in message.items():
        text = _decoded(value)
        merged[name] = f"{merged[name]}\n{text}" if name in merged else text
    return merged


def _decoded(value: object) -> str:
    """A header's text: unfolded, encoded words (RFC 2047) and raw UTF-8 (RFC 6532) decoded."""
    text = "".join(str(value).splitlines())
    if "=?" not in text:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(email.header.make_header(email.header.decode_header(text)))
    except (LookupError, ValueError):
        return text
