"""What every table holds of one person, a page at a time.

Each statement takes tenant, id, the `place` of the last row before or null, and the most rows, and returns places and
rows as JSON. Secrets and who else was told are left out.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from services.console.store import person_letters, statements
from shared import owners
from shared.postgres.pool import Pool

_PAGE = 200

_USERS = """
SELECT id AS place, to_jsonb(u) - 'tenant' AS row FROM users u
WHERE tenant = $1 AND id = $2 AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_MEMBERS = """
SELECT ARRAY[m.kind, m.group_id] AS place, to_jsonb(m) - 'tenant' || jsonb_build_object('group_name', g.name) AS row
FROM group_members m LEFT JOIN groups g ON g.tenant = m.tenant AND g.kind = m.kind AND g.id = m.group_id
WHERE m.tenant = $1 AND m.user_id = $2 AND ($3::text[] IS NULL OR ARRAY[m.kind, m.group_id] > $3)
ORDER BY ARRAY[m.kind, m.group_id] LIMIT $4
"""
_ENDPOINTS = """
SELECT id AS place, to_jsonb(e) - 'tenant' - 'secret' AS row FROM endpoints e
WHERE tenant = $1 AND recipient = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_SAM_TOKENS = """
SELECT id AS place, to_jsonb(t) - 'tenant' - 'hmac' AS row FROM sam_tokens t
WHERE tenant = $1 AND user_id = $2 AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_PREFERENCES = """
SELECT ARRAY[channel, class_key, asset] AS place, to_jsonb(p) - 'tenant' AS row FROM preferences p
WHERE tenant = $1 AND recipient = $2 AND ($3::text[] IS NULL OR ARRAY[channel, class_key, asset] > $3)
ORDER BY ARRAY[channel, class_key, asset] LIMIT $4
"""
_SUPPRESSIONS = """
SELECT hash AS place, to_jsonb(s) - 'tenant' || jsonb_build_object('hash', encode(hash, 'hex')) AS row
FROM suppressions s
WHERE tenant = $1 AND address IS NOT NULL AND ($3::bytea IS NULL OR hash > $3)
  AND (hash IN (SELECT address_hash($1, email) FROM users WHERE tenant = $1 AND id = $2 AND email IS NOT NULL)
    OR EXISTS (SELECT FROM deliveries d WHERE d.id = s.delivery_id AND d.tenant = $1 AND d.recipient = $2))
ORDER BY hash LIMIT $4
"""
_WINDOWS = """
SELECT class_key AS place, to_jsonb(w) - 'tenant' AS row FROM windows w
WHERE tenant = $1 AND recipient = $2 AND ($3::text IS NULL OR class_key > $3) ORDER BY class_key LIMIT $4
"""
_RUNS = """
SELECT id AS place, to_jsonb(r) - 'tenant' AS row FROM runs r
WHERE tenant = $1 AND recipient = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_OTHER_OWNER = f"CASE owner WHEN '{owners.USER_PREFIX}' || $2 THEN '{{}}' ELSE '{{owner}}' END::text[]"
"""Who else asked for a schedule is nothing about this person."""

_SCHEDULES = f"""
SELECT id AS place, to_jsonb(s) - 'tenant' - {_OTHER_OWNER} || jsonb_build_object(
  'notification', s.notification - {_OTHER_OWNER} || jsonb_build_object('recipients', ARRAY[$2::text])) AS row
FROM schedules s
WHERE tenant = $1 AND notification -> 'recipients' ? $2::text AND ($3::bigint IS NULL OR id > $3) ORDER BY id LIMIT $4
"""  # noqa: S608 - put together of constants
_FANOUTS = """
SELECT notification_id AS place,
  jsonb_build_object('notification_id', notification_id, 'created_at', created_at, 'ended_at', ended_at) AS row
FROM fanouts WHERE tenant = $1 AND ($2 = ANY (recipients) OR $2 = ANY (resolved) OR member_after = $2)
  AND ($3::uuid IS NULL OR notification_id > $3)
ORDER BY notification_id LIMIT $4
"""
_FOLLOW_UPS = """
SELECT id AS place, jsonb_build_object('kind', kind, 'notification_id', notification_id, 'at', at) AS row
FROM follow_ups WHERE tenant = $1 AND recipient_after = $2 AND ($3::bigint IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_NO_OTHERS = "CASE WHEN n.completed_by IS DISTINCT FROM $2 THEN '{\"completed_by\": null}' ELSE '{}' END::jsonb"
"""Nor is who else completed a notification."""

_ASKED_FOR = f"""
SELECT id AS place, to_jsonb(n) - 'tenant' || {_NO_OTHERS} AS row FROM notifications n
WHERE tenant = $1 AND owner = '{owners.USER_PREFIX}' || $2 AND ($3::uuid IS NULL OR id > $3)
ORDER BY id LIMIT $4
"""  # noqa: S608 - put together of constants
_DELIVERIES_OF = """
  (SELECT coalesce(jsonb_agg(to_jsonb(d) - 'tenant' || jsonb_build_object('attempts', (
     SELECT coalesce(jsonb_agg(to_jsonb(a) - 'tenant' ORDER BY a.attempt), '[]') FROM attempts a
     WHERE a.tenant = d.tenant AND a.delivery_id = d.id AND a.expires_on = d.expires_on))), '[]')
   FROM deliveries d
   WHERE d.tenant = told.tenant AND d.subject_id = told.subject_id AND d.expires_on = told.expires_on
     AND d.recipient = $2)
"""
_DIGESTS = f"""
SELECT told.id AS place, to_jsonb(told) - 'tenant' - 'subject_id'
  || jsonb_build_object('deliveries', {_DELIVERIES_OF}) AS row
FROM (SELECT *, id AS subject_id FROM digests WHERE tenant = $1 AND recipient = $2 AND ($3::uuid IS NULL OR id > $3)
      ORDER BY id LIMIT $4) told
ORDER BY told.id
"""  # noqa: S608 - put together of constants
_ITEMS = f"""
SELECT told.subject_id AS place, to_jsonb(told) - 'tenant' - 'subject_id' || jsonb_build_object(
  'notification', (
    SELECT to_jsonb(n) - 'tenant' - 'owner' || {_NO_OTHERS} FROM notifications n
    WHERE n.tenant = told.tenant AND n.id = told.subject_id AND n.expires_on = told.expires_on),
  'deliveries', {_DELIVERIES_OF},
  'timeline', (
    SELECT coalesce(jsonb_agg(to_jsonb(t) - 'tenant' ORDER BY t.at), '[]') FROM timeline t
    WHERE t.tenant = told.tenant AND t.notification_id = told.subject_id AND t.expires_on = told.expires_on
      AND t.detail ->> 'recipient' = $2)) AS row
FROM (SELECT *, notification_id AS subject_id FROM inbox_items
      WHERE tenant = $1 AND recipient = $2 AND ($3::uuid IS NULL OR notification_id > $3)
      ORDER BY notification_id LIMIT $4) told
ORDER BY told.subject_id
"""  # noqa: S608 - put together of constants
_STRAY_DELIVERIES = """
SELECT id AS place, to_jsonb(d) - 'tenant' AS row FROM deliveries d
WHERE tenant = $1 AND recipient = $2 AND reason IN ('unknown_recipient', 'endpoint_gone')
  AND ($3::uuid IS NULL OR id > $3)
  AND NOT EXISTS (SELECT FROM inbox_items i WHERE i.tenant = $1 AND i.recipient = $2
                    AND i.notification_id = d.subject_id AND i.expires_on = d.expires_on)
ORDER BY id LIMIT $4
"""

STATEMENTS = (
    ("users", _USERS),
    ("group_members", _MEMBERS),
    ("endpoints", _ENDPOINTS),
    ("sam_tokens", _SAM_TOKENS),
    ("preferences", _PREFERENCES),
    ("suppressions", _SUPPRESSIONS),
    ("windows", _WINDOWS),
    ("schedules", _SCHEDULES),
    ("fanouts", _FANOUTS),
    ("follow_ups", _FOLLOW_UPS),
    ("runs", _RUNS),
    ("inbox_items", _ITEMS),
    ("digests", _DIGESTS),
    ("deliveries", _STRAY_DELIVERIES),
    ("notifications", _ASKED_FOR),
)
"""By table; what hangs on an inbox item or a digest is part of its row."""


async def rows(
    pool: Pool, tenant: str, user: str, names: Collection[str]
) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    """Every row that is about a user known by these names, with the name of its table.

    Raises:
        TransientError: PostgreSQL is away.
    """
    for table, statement in STATEMENTS:
        place = None
        while True:
            found = await statements.rows(pool, tenant, statement, user, place, _PAGE)
            for row in found:
                yield table, row["row"]
            if len(found) < _PAGE:
                break
            place = found[-1]["place"]
    async for letter in person_letters.naming(pool, tenant, user, names):
        yield "dead_letters", letter.shown
