"""Dead letters of what a service reads, at a limited rate: a topic full of what nobody understands pauses it."""

from collections.abc import Sequence

from shared.errors import TransientError
from shared.postgres import dead_letters
from shared.postgres import pool as postgres
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Connection

_LOOK_AGAIN_SECONDS = 5.0
NOBODY = ""
"""The tenant of a letter about a record that names none."""


class PoisonLimitError(TransientError):
    """More records than plausible cannot be read: the reader is likelier wrong than all its writers."""


# Counted in the record, not here, so that a restart does not begin anew. A delivery that was given up is no poison.
_RECENT = """
SELECT count(*) FROM dead_letters
WHERE tenant = ANY($2::text[]) AND at > db_now() - interval '1 minute' AND topic = $1 AND delivery_id IS NULL
"""
_KNOWN = "SELECT id FROM dead_letters WHERE id = ANY($1::uuid[])"


class Burial:
    """Buries the poison of one reader, at most `per_minute` letters of a topic within a minute."""

    def __init__(self, pool: postgres.Pool, per_minute: int) -> None:
        self._pool = pool
        self._per_minute = per_minute
        self._paused: str | None = None

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Store letters of one topic in a transaction of their own; those there already cost nothing.

        What the limit allows is stored even when it is not all, so that repeating the batch comes to an end.

        Raises:
            TransientError: PostgreSQL is away.
            PoisonLimitError: not all of them may be stored yet; repeat it later.
        """
        left: Sequence[DeadLetter] = ()
        if letters:
            # Whoever is confined to one tenant may look at what is nobody's, and at nothing else.
            async with postgres.tenant_transaction(self._pool, NOBODY) as connection:
                left = await self._buried(connection, letters)
        self._paused = self._told(letters[0]) if left else None
        if self._paused is not None:
            raise PoisonLimitError(self._paused, letters[0].reason, _LOOK_AGAIN_SECONDS)

    async def paused(self) -> str | None:
        """A readiness check: a sentence while the reader waits for the limit, else None."""
        return self._paused

    async def _buried(self, connection: Connection, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Bury what is allowed now; what is left."""
        known = {row["id"] for row in await connection.fetch(_KNOWN, [letter.id for letter in letters])}
        fresh = [letter for letter in letters if letter.id not in known]
        tenants = sorted({NOBODY, *(letter.tenant for letter in fresh)})
        recent: int = await connection.fetchval(_RECENT, letters[0].original.topic, tenants)
        allowed = max(0, self._per_minute - recent)
        await dead_letters.bury(connection, fresh[:allowed])
        return fresh[allowed:]

    def _told(self, first: DeadLetter) -> str:
        """The same sentence as long as the same batch waits, so that it is logged once."""
        return (
            f"more records of {first.original.topic} cannot be read than the {self._per_minute} a minute that "
            f"poison_limit_per_minute allows; the first: {first.detail}. Reading pauses while they are dead-lettered "
            "at that rate. Look for a writer or a release that does not fit; nothing was thrown away"
        )
