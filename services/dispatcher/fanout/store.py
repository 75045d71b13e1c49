"""The statements of fan-out: whose turn it is, and how far each has come."""

from uuid import UUID

from services.dispatcher.fanout.stretches import Fanout, Stretch
from shared.contract.importance import Lane
from shared.postgres.pool import Connection

# The turn goes round by tenant, oldest turn first (those of ended fan-outs count), and within a tenant in order of
# creation. Paused tenants wait. What this owner holds already it left unfinished: it goes on with it at once,
# also after a restart under the same name.
_LEASE = """
WITH turn AS (
  SELECT fanouts.notification_id
  FROM fanouts JOIN tenants ON tenants.id = fanouts.tenant AND tenants.state = 'active'
  WHERE fanouts.lane = $1 AND fanouts.ended_at IS NULL
    AND (fanouts.lease_until IS NULL OR fanouts.lease_until <= db_now() OR fanouts.lease_owner = $2)
  ORDER BY (SELECT max(own.turned_at) FROM fanouts own WHERE own.tenant = fanouts.tenant AND own.lane = $1),
    fanouts.created_at
  LIMIT 1 FOR UPDATE OF fanouts SKIP LOCKED)
UPDATE fanouts
SET lease_owner = $2, lease_until = db_now() + make_interval(secs => $3), turned_at = db_now()
FROM turn WHERE fanouts.notification_id = turn.notification_id
RETURNING fanouts.notification_id, cursor, handed_over, expected
"""


async def lease(connection: Connection, lane: Lane, owner: str, seconds: float) -> Fanout | None:
    """The fan-out whose turn it is, leased to `owner`; None when none is open."""
    row = await connection.fetchrow(_LEASE, lane, owner, seconds)
    return None if row is None else Fanout(*row)


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


_RECIPIENTS = "SELECT recipients[$2::integer + 1:$3] FROM fanouts WHERE notification_id = $1"


async def recipients(connection: Connection, notification: UUID, stretch: Stretch) -> list[str]:
    """The recipients of a stretch."""
    found: list[str] = await connection.fetchval(_RECIPIENTS, notification, stretch.first, stretch.last)
    return found


_HAND_OVER = """
UPDATE fanouts
SET handed_over = $3, lease_until = NULL, ended_at = CASE WHEN $3 = expected THEN db_now() END
WHERE notification_id = $1 AND lease_owner = $2 AND handed_over <= $3 AND cursor >= $3 AND ended_at IS NULL
RETURNING ended_at IS NOT NULL
"""


async def hand_over(connection: Connection, notification: UUID, owner: str, count: int) -> bool:
    """Note that Kafka has the deliveries of the first `count`, and give the turn back; True when that was the end."""
    ended = bool(await connection.fetchval(_HAND_OVER, notification, owner, count))
    if ended:
        await connection.execute(_TELL_END, notification)
    return ended


_END = "UPDATE fanouts SET ended_at = db_now(), lease_until = NULL WHERE notification_id = $1 AND lease_owner = $2"

# What has expired may have lost its partition already: then there is no trace left to tell anything to.
_TELL_END = """
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
SELECT tenant, notification_id, expires_on, db_now(), 'fan_out_ended',
  jsonb_build_object('written', cursor, 'recipients', expected)
FROM fanouts
WHERE notification_id = $1 AND ended_at = db_now() AND expires_on >= (db_now() AT TIME ZONE 'UTC')::date
"""


async def end(connection: Connection, notification: UUID, owner: str) -> None:
    """End a fan-out before its last recipient: its notification is cancelled, expired or gone."""
    await connection.execute(_END, notification, owner)
    await connection.execute(_TELL_END, notification)
