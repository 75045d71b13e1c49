"""Dead letters of what the dispatcher reads, under a limit: a topic full of what nobody understands stops it."""

from collections.abc import Sequence

from shared.postgres import dead_letters
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Connection


class PoisonLimitError(RuntimeError):
    """More records than plausible cannot be read: the reader is likelier wrong than all its writers."""


# Counted in the record, not here, so that a restart does not begin anew; those buried before and seen again are not
# counted twice.
_RECENT = """
SELECT count(*) FROM dead_letters
WHERE tenant = '' AND at > db_now() - interval '1 minute' AND topic = $1 AND id <> ALL($2::uuid[])
"""


async def bury(connection: Connection, letters: Sequence[DeadLetter], limit_per_minute: int) -> None:
    """Store letters of one topic within the caller's transaction.

    Raises:
        PoisonLimitError: the minute's letters would be more than `limit_per_minute`; nothing is stored.
    """
    if not letters:
        return
    topic = letters[0].original.topic
    recent: int = await connection.fetchval(_RECENT, topic, [letter.id for letter in letters])
    if recent + len(letters) > limit_per_minute:
        raise PoisonLimitError(
            f"{recent + len(letters)} records of {topic} within a minute cannot be read, more than the "
            f"{limit_per_minute} that poison_limit_per_minute allows; the first: {letters[0].detail}. "
            "Look for a writer or a release that does not fit; nothing was thrown away"
        )
    await dead_letters.bury(connection, letters)
