"""`POST /v1/bodies`: a text too large for a record, kept under the hash of its content to be named by a request."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import Request

from shared.postgres import bodies
from shared.postgres.pool import Pool, tenant_transaction
from shared.runtime.large_bodies import LargeBodies
from shared.runtime.problems import ProblemError

PATH = "/v1/bodies"
LONGEST_TEXT = 10_000_000
"""Characters (seed 001, emailBody)."""

MAX_BYTES = 4 * LONGEST_TEXT
"""UTF-8 has at most four bytes a character."""

KEPT_DAYS = 14
"""How long an upload waits for the request that names it, and is kept behind the day the request is due: the standard
retention, and as long again."""


@dataclass(frozen=True, slots=True)
class KeptBody:
    """A body that is kept: `id` names it."""

    id: str
    characters: int
    keep_until: datetime


class Uploads:
    """Keeps what is uploaded, one copy of each content and tenant."""

    def __init__(self, pool: Pool, large: LargeBodies) -> None:
        self._pool = pool
        self._large = large

    async def keep(self, request: Request, tenant: str) -> KeptBody:
        """Keep the text of a request.

        Raises:
            ProblemError: 400, 408, 413 or 422: cut off, too slow, too long, empty or not UTF-8.
            OverloadedError: too many large bodies are under way.
            TransientError: PostgreSQL is away.
        """
        if request.headers.get("content-encoding", "identity") != "identity":
            raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without a content-encoding")
        async with self._large.body_of(request, MAX_BYTES) as raw:
            content = bytes(raw)
            raw.clear()
            characters = await asyncio.to_thread(_length, content)
            async with tenant_transaction(self._pool, tenant) as connection:
                name = await bodies.keep(connection, tenant, content, KEPT_DAYS)
                keep_until = await connection.fetchval(_KEEP_UNTIL, tenant, name)
        return KeptBody(name.hex(), characters, keep_until)


_KEEP_UNTIL = "SELECT keep_until FROM bodies WHERE tenant = $1 AND hash = $2"


def _length(content: bytes) -> int:
    """How many characters a content has; raises ProblemError when it is none that could be mailed."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} is not UTF-8; send text in UTF-8"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from error
    if not text or "\x00" in text:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "is empty, or holds a NUL character; send text")
    if len(text) > LONGEST_TEXT:
        detail = f"has more than {LONGEST_TEXT:,} characters; make it shorter"
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    return len(text)
