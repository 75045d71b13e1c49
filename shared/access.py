"""API keys of machine callers: `tk_<id>_<256 bits>`, of which only an HMAC is stored."""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_KEY = re.compile(r"tk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key may do. ADMIN includes every other scope of its tenant; CLASS scopes are `publish:<class>`.

    DESKTOP_ASSISTANT is the role that seed 000 asks for, by its own name; its other role is `admin` here too.
    """

    PUBLISH = "publish"
    DIRECTORY = "directory"
    TRACE = "trace"
    REDRIVE = "redrive"
    MAIL = "mail"
    ADMIN = "admin"
    DESKTOP_ASSISTANT = "sn_dex_desktop.admin"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the record keeps it."""

    tenant: str
    id: str
    scopes: frozenset[str]
    hmac: bytes
    previous_hmac: bytes | None
    previous_until: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    def opened_by(self, presented: bytes, now: datetime) -> bool:
        """Whether an HMAC presented now opens this key; compared in constant time."""
        if self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now):
            return False
        current = hmac.compare_digest(self.hmac, presented)
        rotating = self.previous_until is not None and self.previous_until > now
        previous = rotating and hmac.compare_digest(self.previous_hmac or b"", presented)
        return current or previous

    def allows(self, scope: Scope) -> bool:
        """Whether the key has a scope, or the one that includes all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_publish(self) -> bool:
        """Whether the key may publish notifications, be it of one class."""
        return self.allows(Scope.PUBLISH) or any(scope.startswith(f"{Scope.PUBLISH}:") for scope in self.scopes)

    def allows_class(self, class_key: str) -> bool:
        """Whether the key may publish notifications of a class."""
        return self.allows(Scope.PUBLISH) or f"publish:{class_key}" in self.scopes


def key_id(presented: str) -> str | None:
    """The id within a presented key, or None when it does not look like one."""
    matched = _KEY.fullmatch(presented)
    return matched[1] if matched else None


def key_hmac(presented: str, secret: bytes) -> bytes:
    """What is stored of a key, and compared with what is stored: its HMAC-SHA-256 under the installation's secret."""
    return hmac.digest(secret, presented.encode(), "sha256")


def new_key(known_id: str | None = None) -> tuple[str, str]:
    """A new (id, key); with `known_id` a new key under an id that exists (rotation). The key is shown once."""
    chosen = known_id or secrets.token_hex(8)
    return chosen, f"tk_{chosen}_{secrets.token_urlsafe(32)}"


def bearer(authorization: str | None) -> str | None:
    """The credential of an `Authorization: Bearer …` header (RFC 6750), or None."""
    scheme, _, credential = (authorization or "").partition(" ")
    return credential.strip() or None if scheme.lower() == "bearer" else None
