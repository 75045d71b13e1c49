"""Claim check: what is too large for a record stands in `bodies`, under the hash of its content."""

import hashlib

from shared.postgres.pool import Connection

LARGEST_INLINE_BYTES = 512 * 1024
"""A larger original would not fit into a record any more, with its headers and in base64."""

_KEEP = """
INSERT INTO bodies AS kept (tenant, hash, content, keep_until)
VALUES ($1, $2, $3, db_now() + make_interval(days => $4))
ON CONFLICT (tenant, hash) DO UPDATE SET keep_until = greatest(kept.keep_until, excluded.keep_until)
"""


def reference(content: bytes) -> bytes:
    """The name of a content: its SHA-256."""
    return hashlib.sha256(content).digest()


async def keep(connection: Connection, tenant: str, content: bytes, days: int) -> bytes:
    """Store a content within the caller's transaction for at least so many days; its reference."""
    name = reference(content)
    await connection.execute(_KEEP, tenant, name, content, days)
    return name
