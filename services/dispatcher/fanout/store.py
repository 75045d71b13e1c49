"""The statements of fan-out: whose turn it is, and how far each has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.dispatcher.fanout.stretches import Fanout, Stretch, Walk
from shared.contract.importance import Lane
from shared.contract.messages import Audience
from shared.contract.outcomes import Reason
from shared.postgres.audiences import Step
from shared.postgres.pool import Connection

Key = tuple[str, UUID, date]
"""A notification: tenant, id, expires_on."""

ANY_OPEN = "SELECT EXISTS (SELECT FROM fanouts WHERE lane = $1 AND ended_at IS NULL)"

# The turn goes round by tenant, oldest turn first (those of ended fan-outs count), and within a tenant in order of
# creation. Paused tenants wait, but not to say that a notification goes no further. What this owner holds already it
# left unfinished: it goes on with it at once, also after a restart under the same name.
_LEASE = """
WITH turn AS (
  SELECT fanouts.notification_id
  FROM fanouts JOIN tenants ON tenants.id = fanouts.tenant
    AND (tenants.state = 'active' OR (  -- LIMIT 1 keeps it a look-up by key
      SELECT true FROM notifications n WHERE n.id = fanouts.notification_id AND n.expires_on = fanouts.expires_on
        AND n.cancelled_at IS NULL AND (n.expires_at IS NULL OR n.expires_at > db_now()) LIMIT 1) IS NULL)
  WHERE fanouts.lane = $1 AND fanouts.ended_at IS NULL
    AND (fanouts.lease_until IS NULL OR fanouts.lease_until <= db_now() OR fanouts.lease_owner = $2)
  ORDER BY (SELECT max(own.turned_at) FROM fanouts own WHERE own.tenant = fanouts.tenant AND own.lane = $1),
    fanouts.created_at
  LIMIT 1 FOR UPDATE OF fanouts SKIP LOCKED)
UPDATE fanouts
SET lease_owner = $2, lease_until = db_now() + make_interval(secs => $3), turned_at = db_now()
FROM turn WHERE fanouts.notification_id = turn.notification_id
RETURNING fanouts.notification_id, cursor, handed_over, expected,
  CASE WHEN audience_open THEN audience END AS audience, group_after, member_after
"""


async def lease(connection: Connection, lane: Lane, owner: str, seconds: float) -> Fanout | None:
    """The fan-out whose turn it is, leased to `owner`; None when none is open."""
    row = await connection.fetchrow(_LEASE, lane, owner, seconds)
    if row is None:
        return None
    walk = None
    if row["audience"] is not None:
        walk = Walk(Audience.model_validate(row["audience"]), row["group_after"], row["member_after"])
    return Fanout(row["notification_id"], row["cursor"], row["handed_over"], row["expected"], walk)


# The cursor only moves from where the lease found it: an owner that slept through its lease changes nothing.
_ADVANCE = """
UPDATE fanouts SET cursor = $4
WHERE notification_id = $1 AND lease_owner = $2 AND cursor = $3 AND ended_at IS NULL
RETURNING recipients[$3 + 1:$4]
"""


async def advance(connection: Connection, fanout: Fanout, owner: str, stretch: Stretch) -> list[str] | None:
    """Move the cursor within the transaction that writes the rows; the stretch's recipients, None for a lost lease."""
    recipients: list[str] | None = await connection.fetchval(
        _ADVANCE, fanout.notification_id, owner, stretch.first, stretch.last
    )
    return recipients


# Nobody has a second row of one notification, in however many groups somebody is.
_HAVE_ROWS = """
SELECT recipient FROM inbox_items
WHERE tenant = $1 AND notification_id = $2 AND expires_on = $3 AND recipient = ANY ($4::text[])
"""


async def without_rows(connection: Connection, key: Key, members: Sequence[str]) -> list[str]:
    """Those of the members of an audience who have no row of this notification yet."""
    have = {row["recipient"] for row in await connection.fetch(_HAVE_ROWS, *key, members)} if members else set()
    return [member for member in members if member not in have]


_ADVANCE_WALK = """
UPDATE fanouts SET cursor = cursor + cardinality($6::text[]), expected = cursor + cardinality($6::text[]),
  resolved = $6, group_after = $7, member_after = $8, audience_open = $9
WHERE notification_id = $1 AND lease_owner = $2 AND cursor = $3 AND ended_at IS NULL
  AND group_after = $4 AND member_after IS NOT DISTINCT FROM $5
RETURNING true
"""


@dataclass(frozen=True, slots=True)
class Walked:
    """A step of a walk: where it began, what was found, and which of the members have no row yet."""

    begun: Walk
    step: Step
    fresh: Sequence[str]


async def advance_walk(connection: Connection, fanout: Fanout, owner: str, walked: Walked) -> bool:
    """Move cursor and walk within the transaction that writes the fresh members' rows; False for a lost lease."""
    begun, step = walked.begun, walked.step
    moved = await connection.fetchval(
        _ADVANCE_WALK, fanout.notification_id, owner, fanout.cursor, begun.group_after, begun.member_after,
        walked.fresh, step.position.group, step.position.member, not step.ended,
    )  # fmt: skip
    return bool(moved)


# Those of an audience are remembered as long as they are not handed over: the last ones before the cursor.
_RECIPIENTS = """
SELECT CASE WHEN $3 <= cardinality(recipients) THEN recipients[$2::integer + 1:$3]
  ELSE resolved[$2 - cursor + cardinality(resolved) + 1:$3 - cursor + cardinality(resolved)] END
FROM fanouts WHERE notification_id = $1
"""


async def recipients(connection: Connection, notification: UUID, stretch: Stretch) -> list[str]:
    """The recipients of a stretch."""
    found: list[str] = await connection.fetchval(_RECIPIENTS, notification, stretch.first, stretch.last)
    return found


_HAND_OVER = """
UPDATE fanouts
SET handed_over = $3, lease_until = NULL, ended_at = CASE WHEN $3 = expected AND NOT audience_open THEN db_now() END
WHERE notification_id = $1 AND lease_owner = $2 AND handed_over <= $3 AND cursor >= $3 AND ended_at IS NULL
RETURNING ended_at IS NOT NULL
"""


async def hand_over(connection: Connection, notification: UUID, owner: str, count: int) -> bool:
    """Note that Kafka has the deliveries of the first `count`, and give the turn back; True when that was the end."""
    ended = bool(await connection.fetchval(_HAND_OVER, notification, owner, count))
    if ended:
        await connection.execute(_TELL_END, notification)
        await connection.execute(_COUNT, notification)
    return ended


# What has expired may have lost its partition already: then there is no trace left to tell anything to. Of an audience
# that was not walked to its end, nobody can say how many it would have reached: who is in two groups was told twice.
_TELL_END = """
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
SELECT tenant, notification_id, expires_on, db_now(), 'fan_out_ended',
  jsonb_build_object('written', coalesce(written, cursor),
    'recipients', CASE WHEN audience IS NULL THEN expected ELSE coalesce(written, expected) END)
FROM fanouts
WHERE notification_id = $1 AND ended_at = db_now() AND expires_on >= (db_now() AT TIME ZONE 'UTC')::date
"""


# How many an audience reaches is known when it was walked.
_COUNT = """
UPDATE notifications SET recipient_count = coalesce(written, expected)
FROM fanouts WHERE fanouts.notification_id = $1 AND audience IS NOT NULL
  AND notifications.id = $1 AND notifications.expires_on = fanouts.expires_on
"""


_OVER = """
UPDATE fanouts SET written = coalesce(written, cursor)
WHERE notification_id = $1 AND lease_owner = $2 AND ended_at IS NULL
RETURNING tenant, notification_id, expires_on, written, (
  SELECT n.cancelled_at IS NOT NULL FROM notifications n
  WHERE n.id = fanouts.notification_id AND n.expires_on = fanouts.expires_on LIMIT 1
) AS is_cancelled
"""


@dataclass(frozen=True, slots=True)
class Over:
    """A fan-out whose notification goes no further, why, and how many recipients had their rows when that was seen."""

    key: Key
    reason: Reason
    written: int


async def over(connection: Connection, fanout: Fanout, owner: str) -> Over | None:
    """Note that a notification is withdrawn, expired or gone; None for a lost lease."""
    row = await connection.fetchrow(_OVER, fanout.notification_id, owner)
    if row is None:
        return None
    reason = Reason.CANCELLED if row["is_cancelled"] else Reason.EXPIRED
    return Over((row["tenant"], row["notification_id"], row["expires_on"]), reason, row["written"])
