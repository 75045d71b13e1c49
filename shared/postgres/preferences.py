"""What recipients want on push and email, by class and asset; the rule of precedence is the database's `preferred`."""

from dataclasses import dataclass
from enum import StrEnum

from shared.contract.outcomes import Channel
from shared.postgres.pool import Connection


class PreferenceState(StrEnum):
    """Whether a recipient wants something."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True)
class About:
    """What a preference is about: a recipient's channel, and a class, an asset, both, or (None) any."""

    recipient: str
    channel: Channel
    class_key: str | None
    asset: str | None


_PUT = """
INSERT INTO preferences (tenant, recipient, channel, class_key, asset, state, changed_at)
VALUES ($1, $2, $3, coalesce($4, ''), coalesce($5, ''), $6, db_now())
ON CONFLICT (tenant, recipient, channel, class_key, asset) DO UPDATE
SET state = excluded.state, changed_at = excluded.changed_at WHERE preferences.state <> excluded.state
"""


async def put(connection: Connection, tenant: str, about: About, state: PreferenceState) -> None:
    """Keep what a recipient wants; saying the same again changes nothing."""
    await connection.execute(_PUT, tenant, about.recipient, about.channel, about.class_key, about.asset, state)


_DELETE = """
DELETE FROM preferences
WHERE tenant = $1 AND recipient = $2 AND channel = $3 AND class_key = coalesce($4, '') AND asset = coalesce($5, '')
RETURNING state
"""


async def delete(connection: Connection, tenant: str, about: About) -> bool:
    """Forget what a recipient said; False when nothing was."""
    found = await connection.fetchrow(_DELETE, tenant, about.recipient, about.channel, about.class_key, about.asset)
    return found is not None
