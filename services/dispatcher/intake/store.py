"""Intake's own statements: identities, schedules, notifications and fan-outs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.dispatcher import store_rows
from services.dispatcher.policy import Plan
from services.dispatcher.stages import ScheduleState
from services.dispatcher.store_rows import columns
from shared.postgres.pool import Connection

# An identity that is there and not taken in yet is taken in now, if it means the same body. What is returned is new;
# everything else is a repeat or a conflict. Sorted, so that ingest and other lanes lock the same rows in one order.
_TAKE_IN = """
INSERT INTO identities AS known (id, tenant, payload_hash, accepted_at, taken_in_at, expires_on, schedule_id)
SELECT id, tenant, payload_hash, accepted_at, db_now(), expires_on, schedule_id
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::timestamptz[], $5::date[], $6::bigint[])
  AS accepted (id, tenant, payload_hash, accepted_at, expires_on, schedule_id)
ORDER BY id
ON CONFLICT (id) DO UPDATE
  SET taken_in_at = excluded.taken_in_at, expires_on = greatest(known.expires_on, excluded.expires_on)
  WHERE known.taken_in_at IS NULL AND known.payload_hash IS NOT DISTINCT FROM excluded.payload_hash
RETURNING id
"""


async def take_in(connection: Connection, plans: Sequence[Plan]) -> set[UUID]:
    """The ids of what this transaction is the first to take in."""
    rows = [
        (plan.subject.id, plan.subject.tenant, payload_hash(plan), plan.subject.accepted_at, plan.identity_until,
         plan.message.schedule_id)
        for plan in plans
    ]  # fmt: skip
    return {row["id"] for row in await connection.fetch(_TAKE_IN, *columns(rows))}


_KNOWN_HASHES = "SELECT id, payload_hash FROM identities WHERE id = ANY($1::uuid[])"


async def known_hashes(connection: Connection, notifications: Sequence[UUID]) -> dict[UUID, bytes | None]:
    """The payload hash under which each identity is known."""
    if not notifications:
        return {}
    return {row["id"]: row["payload_hash"] for row in await connection.fetch(_KNOWN_HASHES, notifications)}


def payload_hash(plan: Plan) -> bytes | None:
    """The hash of what was asked, as it is stored."""
    return None if plan.message.payload_hash is None else bytes.fromhex(plan.message.payload_hash)


_LOCK_SCHEDULES = "SELECT id, state FROM schedules WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE"
_RELEASE = "UPDATE schedules SET state = 'released' WHERE id = ANY($1::bigint[]) AND state = 'pending'"


async def release_schedules(connection: Connection, plans: Iterable[Plan]) -> dict[int, ScheduleState]:
    """Release the pending schedules of these plans; where each stood before."""
    schedules = [plan.message.schedule_id for plan in plans if plan.message.schedule_id is not None]
    if not schedules:
        return {}
    states = {row["id"]: ScheduleState(row["state"]) for row in await connection.fetch(_LOCK_SCHEDULES, schedules)}
    await connection.execute(_RELEASE, schedules)
    return states


# The first line of a notification's story is told with it: its values are here already.
_INSERT_NOTIFICATIONS = """
WITH accepted AS (
  SELECT * FROM unnest($1::text[], $2::uuid[], $3::date[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::boolean[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::timestamptz[], $19::timestamptz[], $20::timestamptz[], $21::integer[], $22::text[],
    $23::text[])
    AS accepted (tenant, id, expires_on, source, name, description, importance, class_key, options, items,
      requires_action, action_url, script, channels, lane, door, owner, accepted_at, expires_at, remove_after,
      recipient_count, asset, mail)),
recorded AS (
  INSERT INTO notifications (tenant, id, expires_on, source, name, description, importance, class_key, options, items,
    requires_action, action_url, script, channels, lane, door, owner, accepted_at, expires_at, remove_after,
    recipient_count, asset, mail, created_at)
  SELECT tenant, id, expires_on, source, name, description, importance, class_key, options::jsonb, items::jsonb,
    requires_action, action_url, script, channels::text[], lane, door, owner, accepted_at, expires_at, remove_after,
    recipient_count, asset, mail::jsonb, $24
  FROM accepted)
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
SELECT tenant, id, expires_on, accepted_at, 'accepted',
  jsonb_build_object('door', door, 'lane', lane, 'recipients', recipient_count)
FROM accepted
"""


async def insert_notifications(connection: Connection, plans: Sequence[Plan], now: datetime) -> None:
    """Record notifications that are taken in at `now`, each with the first line of its timeline."""
    if plans:
        await connection.execute(_INSERT_NOTIFICATIONS, *columns([_notification(plan) for plan in plans]), now)


def _notification(plan: Plan) -> tuple[Any, ...]:
    message, subject, lifetime = plan.message, plan.subject, plan.subject.lifetime
    return (
        subject.tenant, subject.id, lifetime.expires_on, message.source, message.name, message.description,
        subject.importance, subject.class_key, store_rows.json_text(plan.options),
        store_rows.json_text([item.model_dump() for item in message.items]), message.requires_action,
        message.action_url, message.script, "{" + ",".join(message.channels) + "}", subject.lane, message.door,
        message.owner, subject.accepted_at, lifetime.expires_at, lifetime.remove_after, len(plan.recipients),
        message.asset, None if message.mail is None else message.mail.model_dump_json(),
    )  # fmt: skip


# A tenant's turn is the latest of its fan-outs': a new one neither jumps the queue nor sends the others back.
_INSERT_FANOUT = """
INSERT INTO fanouts (notification_id, tenant, lane, expires_on, recipients, expected, created_at, audience,
  audience_open, turned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $8::jsonb IS NOT NULL, '-infinity')
"""


async def insert_fanouts(connection: Connection, plans: Iterable[Plan], now: datetime) -> None:
    """Leave recipients to fan-out; an array of arrays does not unnest, and these are few."""
    rows = []
    for plan in plans:
        subject = plan.subject
        audience = None if plan.audience is None else plan.audience.model_dump(mode="json")
        rows.append((subject.id, subject.tenant, subject.lane, subject.lifetime.expires_on, plan.recipients,
                     len(plan.recipients), now, audience))  # fmt: skip
    if rows:
        await connection.executemany(_INSERT_FANOUT, rows)
