"""The statements of follow-ups: whose turn it is, and how far it has come."""

from typing import NamedTuple

from shared.postgres.follow_ups import FollowUp, Kind
from shared.postgres.pool import Connection

# Who works on a follow-up holds its row until the stretch is done: nobody else does the same, and nothing is leased.
_TURN = """
SELECT id, tenant, kind, notification_id, expires_on, at, recipient_after, run FROM follow_ups
ORDER BY turned_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""


class Left(NamedTuple):
    """A follow-up that is left to work off."""

    id: int
    what: FollowUp


async def turn(connection: Connection) -> Left | None:
    """The follow-up that has waited longest, held until the transaction ends; None when there is none."""
    row = await connection.fetchrow(_TURN)
    if row is None:
        return None
    what = FollowUp(
        row["tenant"], Kind(row["kind"]), row["notification_id"], row["expires_on"], row["at"],
        row["recipient_after"], row["run"],
    )  # fmt: skip
    return Left(row["id"], what)


# A run for a recipient of what was withdrawn or has expired would only be made to be cancelled.
_IS_OVER = """
SELECT NOT EXISTS (SELECT FROM notifications WHERE tenant = $1 AND id = $2 AND expires_on = $3
  AND cancelled_at IS NULL AND (expires_at IS NULL OR expires_at > db_now()))
"""


async def is_over(connection: Connection, what: FollowUp) -> bool:
    """Whether its notification is withdrawn, expired or gone."""
    return bool(await connection.fetchval(_IS_OVER, what.tenant, what.notification_id, what.expires_on))


_MOVE = "UPDATE follow_ups SET recipient_after = $2, turned_at = db_now() WHERE id = $1"


async def move(connection: Connection, left: Left, recipient: str) -> None:
    """Note the last recipient that is seen to, and give the turn to others."""
    await connection.execute(_MOVE, left.id, recipient)


_END = "DELETE FROM follow_ups WHERE id = $1"


async def end(connection: Connection, left: Left) -> None:
    """The last recipient is seen to."""
    await connection.execute(_END, left.id)
