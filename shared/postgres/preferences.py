"""What recipients want on push and email, by class and asset; the rule of precedence is the database's `preferred`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

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


@dataclass(frozen=True, slots=True)
class Preference:
    """What a recipient said, and when."""

    about: About
    state: PreferenceState
    changed_at: datetime


_LIST = """
SELECT recipient, channel, class_key, asset, state, changed_at FROM preferences
WHERE tenant = $1 AND ($2::text IS NULL OR recipient = $2)
  AND ($3::text IS NULL OR (recipient, channel, class_key, asset) > ($3, $4, $5, $6))
ORDER BY recipient, channel, class_key, asset LIMIT $7
"""


async def after(
    connection: Connection, tenant: str, recipient: str | None, last: About | None, most: int
) -> list[Preference]:
    """What was said, in the order of what it is about, behind `last`; by one recipient where one is given."""
    place = (None,) * 4 if last is None else (last.recipient, last.channel, last.class_key or "", last.asset or "")
    return [_preference(row) for row in await connection.fetch(_LIST, tenant, recipient, *place, most)]


def _preference(row: asyncpg.Record) -> Preference:
    about = About(row["recipient"], Channel(row["channel"]), row["class_key"] or None, row["asset"] or None)
    return Preference(about, PreferenceState(row["state"]), row["changed_at"])


_IS_USER = "SELECT EXISTS (SELECT FROM users WHERE tenant = $1 AND id = $2)"


async def is_user(connection: Connection, tenant: str, recipient: str) -> bool:
    """Whether the directory knows somebody who can want something."""
    known: bool = await connection.fetchval(_IS_USER, tenant, recipient)
    return known


_PUT = """
INSERT INTO preferences (tenant, recipient, channel, class_key, asset, state, changed_at)
VALUES ($1, $2, $3, coalesce($4, ''), coalesce($5, ''), $6, db_now())
ON CONFLICT (tenant, recipient, channel, class_key, asset) DO UPDATE
SET state = excluded.state, changed_at = CASE preferences.state
  WHEN excluded.state THEN preferences.changed_at ELSE excluded.changed_at END
RETURNING recipient, channel, class_key, asset, state, changed_at
"""


async def put(connection: Connection, tenant: str, about: About, state: PreferenceState) -> Preference:
    """Keep what a recipient wants; saying the same again changes nothing."""
    wanted = (about.recipient, about.channel, about.class_key, about.asset, state)
    [row] = await connection.fetch(_PUT, tenant, *wanted)
    return _preference(row)


_DELETE = """
DELETE FROM preferences
WHERE tenant = $1 AND recipient = $2 AND channel = $3 AND class_key = coalesce($4, '') AND asset = coalesce($5, '')
RETURNING state
"""


async def delete(connection: Connection, tenant: str, about: About) -> bool:
    """Forget what a recipient said; False when nothing was."""
    found = await connection.fetchrow(_DELETE, tenant, about.recipient, about.channel, about.class_key, about.asset)
    return found is not None
