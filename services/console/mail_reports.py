"""What a report about a mail says: bounces (RFC 3464) and complaints (RFC 5965), read from raw messages. Pure."""

import email
import email.policy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any
from uuid import UUID

from shared.contract import mail_settings, mail_status
from shared.postgres.suppressions import Cause

_LONGEST_ADDRESS = 320
_MOST_FINDINGS = 100

_MESSAGE_ID = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@", re.IGNORECASE)
_COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other", "opt-out"})
"""Feedback types (RFC 5965, 7.3) that are complaints; `not-spam` says the opposite."""


class NoReportError(ValueError):
    """Neither a delivery status notification nor a feedback report; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a report says of one recipient.

    `addresses` are the recipient's, as it was written to first and as it was forwarded to then. `delivery` is the one
    the report is about, None where nothing in it says so. `detail` has no addresses.
    """

    cause: Cause
    addresses: tuple[str, ...]
    delivery: UUID | None
    is_permanent: bool
    detail: str


def findings(raw: bytes) -> list[Finding]:
    """What a raw message (RFC 5322) reports.

    Raises:
        NoReportError: it is no `multipart/report` of one of the two kinds.
    """
    message = email.message_from_bytes(raw, policy=email.policy.default)
    parts = list(message.walk())
    delivery = _delivery(message, parts)
    found = [
        *(finding for part in parts for finding in _bounces(part, delivery)),
        *(finding for part in parts for finding in _complaints(part, delivery)),
    ]
    if not found and not any(_kind(part) in _READ for part in parts):
        raise NoReportError(
            "no multipart/report with a message/delivery-status (RFC 3464) or message/feedback-report (RFC 5965) part"
        )
    return found[:_MOST_FINDINGS]


_STATUS, _FEEDBACK = "message/delivery-status", "message/feedback-report"
_READ = frozenset({_STATUS, _FEEDBACK})


def _kind(part: Message) -> str:
    return part.get_content_type().lower()


def _bounces(part: Message, delivery: UUID | None) -> Iterator[Finding]:
    """One finding for each recipient of a delivery status that failed; the first block of fields is the message's."""
    if _kind(part) != _STATUS:
        return
    for fields in _blocks(part):
        action, status = _field(fields, "action").lower(), _field(fields, "status")
        if action == "failed":
            addresses = _addresses(fields, "original-recipient", "final-recipient")
            yield Finding(Cause.BOUNCE, addresses, delivery, mail_status.is_gone(status), f"status {status[:20]}")


def _complaints(part: Message, delivery: UUID | None) -> Iterator[Finding]:
    if _kind(part) != _FEEDBACK:
        return
    for fields in _blocks(part):
        kind = _field(fields, "feedback-type").lower()
        if kind in _COMPLAINTS:
            addresses = _addresses(fields, "original-rcpt-to", "removal-recipient")
            yield Finding(Cause.COMPLAINT, addresses, delivery, True, f"feedback {kind}")


def _blocks(part: Message) -> list[Message]:
    """The groups of fields within a report; some mailers send them as plain text."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [block for block in payload if isinstance(block, Message) and block.keys()] or _texts(payload)
    return _of_text(str(payload))


def _texts(payload: Sequence[Any]) -> list[Message]:
    return [block for each in payload for block in _of_text(str(each.get_payload()))]


def _of_text(text: str) -> list[Message]:
    groups = re.split(r"\r?\n\r?\n", text.strip())
    return [email.message_from_string(group, policy=email.policy.compat32) for group in groups if group]


def _field(fields: Message, name: str) -> str:
    return " ".join(str(fields.get(name, "")).split())


def _addresses(fields: Message, *names: str) -> tuple[str, ...]:
    """Addresses of fields such as `rfc822; ada@example.test` or `<ada@example.test>`, in order, each once."""
    found = []
    for name in names:
        plain = _field(fields, name).rpartition(";")[2].strip().strip("<>")
        if "@" in plain and plain.isprintable() and len(plain) <= _LONGEST_ADDRESS:
            found.append(plain)
    return tuple(dict.fromkeys(found))


def _delivery(message: Message, parts: Sequence[Message]) -> UUID | None:
    """The delivery a report is about: by the address it came to (VERP), else by the Message-ID of what it returns."""
    for name in ("to", "delivered-to", "x-original-to", "envelope-to"):
        for value in message.get_all(name, []):
            if named := mail_settings.delivery_of(str(value)):
                return named
    for part in parts[1:]:
        text = _returned(part)
        if (named := mail_settings.delivery_of(text)) is not None:
            return named
        if found := _MESSAGE_ID.search(text):
            return UUID(found[1])
    return None


def _returned(part: Message) -> str:
    """The header of the returned mail, or the fields that name it."""
    if _kind(part) in ("text/rfc822-headers", "message/rfc822-headers") and not part.is_multipart():
        return _text_of(part)
    wanted = ("message-id", "return-path", "original-envelope-id", "original-mail-from", "x-original-message-id")
    return "\n".join(str(value) for name in wanted for value in part.get_all(name, []))


def _text_of(part: Message) -> str:
    content = part.get_payload(decode=True)
    return content.decode(errors="replace") if isinstance(content, bytes) else ""
