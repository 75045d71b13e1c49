"""What a notification leaves behind in every table, for tests of what is let go."""

from datetime import date
from uuid import UUID

from shared.contract import ids
from shared.postgres.pool import Pool
from tests.support.mailing import TENANT

TABLES = ("notifications", "inbox_items", "deliveries", "attempts", "timeline", "digests", "dead_letters")

_DELIVERY = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, attempt,
  due_at, accepted_at, created_at)
VALUES ($1, $2, $3, 'notification', $4, 'ada', $5, $5, 'routine', $6, 1, db_now(), db_now(), db_now())
"""
_ATTEMPT = """
INSERT INTO attempts (tenant, delivery_id, expires_on, attempt, at, outcome, seconds)
VALUES ($1, $2, $3, 1, db_now(), 'delivered', 0.1)
"""
_MOMENT = """
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
VALUES ($1, $2, $3, db_now(), 'accepted', '{}')
"""
_DIGEST = """
INSERT INTO digests (tenant, id, expires_on, recipient, class_key, opened_at, due_at, flushed_at, member_count)
VALUES ($1, $2, $3, 'ada', 'enquiries', db_now(), db_now(), db_now(), 1)
"""
_DEAD_LETTER = """
INSERT INTO dead_letters (tenant, id, expires_on, reason, detail, topic, delivery_id, headers, at)
VALUES ($1, $2, $3, 'timeout', '', 'deliveries.push.routine', $4, '[]', db_now())
"""


async def leave_behind(owner: Pool, notification: UUID, day: date) -> UUID:
    """A sent delivery with its attempt, one still to be tried, a moment, a digest, a dead letter; the unfinished id."""
    sent, unfinished = ids.fresh(), ids.fresh()
    await owner.execute(_DELIVERY, TENANT, sent, day, notification, "push", "sent")
    await owner.execute(_DELIVERY, TENANT, unfinished, day, notification, "email", "retry")
    await owner.execute(_ATTEMPT, TENANT, sent, day)
    await owner.execute(_MOMENT, TENANT, notification, day)
    await owner.execute(_DIGEST, TENANT, ids.fresh(), day)
    await owner.execute(_DEAD_LETTER, TENANT, ids.fresh(), day, sent)
    return unfinished


async def counts(owner: Pool) -> dict[str, int]:
    """The rows of each expiring table."""
    return {table: await owner.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608 - a tuple here
