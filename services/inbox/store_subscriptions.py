"""What an unsubscribe link reads and writes, inside the tenant that the link names."""

from dataclasses import dataclass

from services.inbox.words import Standing
from shared.postgres import preferences
from shared.postgres.pool import Connection
from shared.postgres.preferences import About, PreferenceState
from shared.unsubscribe import Subscription


@dataclass(frozen=True, slots=True)
class Found:
    """How it stands with a subscription, what its sender and class are called, and the recipient's locale."""

    standing: Standing
    sender: str
    class_name: str
    locale: str | None


# Nothing comes: the whole channel was ended, and nothing more specific speaks for any of it (docs/decisions/0015).
_FIND = """
SELECT CASE WHEN coalesce(p.state, 'subscribed') = 'subscribed' THEN 'subscribed'
            WHEN w.whole AND NOT w.partly THEN 'nothing' ELSE 'unsubscribed' END AS standing,
  coalesce(nullif(t.name, ''), t.id) AS sender, coalesce(nullif(k.name, ''), $4) AS class_name, u.locale
FROM users u JOIN tenants t ON t.id = u.tenant
LEFT JOIN classes k ON k.tenant = u.tenant AND k.key = $4
LEFT JOIN LATERAL preferred(u.tenant, u.id, $3, $4, $5, false) p ON true
CROSS JOIN LATERAL (
  SELECT coalesce(bool_or(class_key = '' AND asset = '' AND state = 'unsubscribed'), false) AS whole,
    coalesce(bool_or(state = 'subscribed'), false) AS partly
  FROM preferences WHERE tenant = u.tenant AND recipient = u.id AND channel = $3
) w
WHERE u.tenant = $1 AND u.id = $2
"""


async def find(connection: Connection, about: Subscription) -> Found | None:
    """A subscription as it stands; None where the directory does not know its recipient any more."""
    row = await connection.fetchrow(_FIND, about.tenant, about.recipient, about.channel, about.class_key, about.asset)
    return None if row is None else Found(Standing(row["standing"]), row["sender"], row["class_name"], row["locale"])


async def end(connection: Connection, about: Subscription) -> None:
    """Unsubscribe."""
    await preferences.put(connection, about.tenant, _kept_at(about), PreferenceState.UNSUBSCRIBED)


async def renew(connection: Connection, about: Subscription) -> None:
    """Subscribe again; where what is said more generally speaks against it, by saying otherwise about this."""
    await preferences.delete(connection, about.tenant, _kept_at(about))
    found = await find(connection, about)
    if found is not None and found.standing is not Standing.SUBSCRIBED:
        await preferences.put(connection, about.tenant, _kept_at(about), PreferenceState.SUBSCRIBED)


_FORGET_SUBSCRIBED = """
DELETE FROM preferences WHERE tenant = $1 AND recipient = $2 AND channel = $3 AND state = 'subscribed'
"""


async def end_all(connection: Connection, about: Subscription) -> None:
    """Unsubscribe from everything by the channel; what spoke for some of it would go before that, and is forgotten."""
    await connection.execute(_FORGET_SUBSCRIBED, about.tenant, about.recipient, about.channel)
    await preferences.put(connection, about.tenant, _whole(about), PreferenceState.UNSUBSCRIBED)


async def renew_all(connection: Connection, about: Subscription) -> None:
    """Undo that; what was ended by itself stays ended."""
    await preferences.delete(connection, about.tenant, _whole(about))


def _kept_at(about: Subscription) -> About:
    """Where the end of a subscription is kept: at its asset (ALP-NUN, ALP-EUN of seed 001), else at its class."""
    class_key = about.class_key if about.asset is None else None
    return About(about.recipient, about.channel, class_key, about.asset)


def _whole(about: Subscription) -> About:
    return About(about.recipient, about.channel, None, None)
