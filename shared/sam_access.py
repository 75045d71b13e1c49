"""What a caller of the sendNotification dialect presents: a user's token and a company's key (seed 001, Headers).

Of both only an HMAC under the installation's secret is stored (`shared.access.key_hmac`).
"""

import re
import secrets
from uuid import UUID, uuid4

SUPER_USER = "SUPER_USER"
OF_A_COMPANY = frozenset({"COMPANY_ADMIN", "EVENT_PUSH_NOTIFICATION_ROLE"})
"""The roles that may send (B2), these only to companies of their own."""

_TOKEN = re.compile(r"sam_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_COMPANY_KEY = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def new_token() -> tuple[str, str]:
    """A new (id, token): `sam_<id>_<256 bits>`."""
    token_id = secrets.token_hex(8)
    return token_id, f"sam_{token_id}_{secrets.token_urlsafe(32)}"


def token_id(presented: str) -> str | None:
    """The id within a presented token, or None when it does not look like one."""
    matched = _TOKEN.fullmatch(presented)
    return matched[1] if matched else None


def new_company_key() -> tuple[str, str]:
    """A new (id, key); the key is a random UUID, as the source has it, and the id says nothing about it."""
    return secrets.token_hex(8), str(uuid4())


def company_key(presented: str) -> str | None:
    """A presented company key as it was made, in small letters; None when it is no UUID (RFC 9562, 4)."""
    return str(UUID(presented)) if _COMPANY_KEY.fullmatch(presented) else None
