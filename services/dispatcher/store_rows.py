"""What intake and fan-out both write: inbox items, what is skipped, digest windows and the timeline."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from services.dispatcher.handover import Window
from services.dispatcher.policy import Subject
from services.dispatcher.routing import Route, Routed
from shared.contract import ids
from shared.contract.outcomes import EmailPlan
from shared.postgres.pool import Connection


async def write(connection: Connection, batch: Sequence[Routed], now: datetime) -> list[Window]:
    """Write the rows of these routes within the caller's transaction; the digest windows that opened by it."""
    await _insert_items(connection, batch, now)
    await _insert_skipped(connection, batch, now)
    return await _open_windows(connection, batch, now)


_INSERT_ITEMS = """
INSERT INTO inbox_items (tenant, recipient, notification_id, expires_on, importance, class_key, hidden, expires_at,
  remove_after, push_endpoints, email_plan, created_at)
SELECT tenant, recipient, id, expires_on, importance, class_key, hidden, expires_at, remove_after,
  push::uuid[], email_plan, $12
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::date[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[],
  $9::timestamptz[], $10::text[], $11::text[])
  AS item (tenant, recipient, id, expires_on, importance, class_key, hidden, expires_at, remove_after, push, email_plan)
"""


async def _insert_items(connection: Connection, batch: Sequence[Routed], now: datetime) -> None:
    rows = [_item(subject, route) for subject, routes in batch for route in routes]
    if rows:
        await connection.execute(_INSERT_ITEMS, *columns(rows), now)


def _item(subject: Subject, route: Route) -> tuple[Any, ...]:
    lifetime = subject.lifetime
    # unnest would flatten an array of arrays, so the inner one travels as PostgreSQL's own text form.
    push = "{" + ",".join(route.push) + "}" if route.push else "{}"
    return (
        subject.tenant, route.recipient, subject.id, lifetime.expires_on, subject.importance, subject.class_key,
        route.hidden, lifetime.expires_at, lifetime.remove_after, push, route.email,
    )  # fmt: skip


_INSERT_SKIPPED = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, reason,
  attempt, accepted_at, created_at, ended_at)
SELECT tenant, id, expires_on, 'notification', subject_id, recipient, channel, channel, lane, 'skipped', reason,
  0, accepted_at, $10, $10
FROM unnest($1::text[], $2::uuid[], $3::date[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::timestamptz[]) AS skip (tenant, id, expires_on, subject_id, recipient, channel, lane, reason, accepted_at)
"""


async def _insert_skipped(connection: Connection, batch: Sequence[Routed], now: datetime) -> None:
    rows = list(_skips(batch))
    if rows:
        await connection.execute(_INSERT_SKIPPED, *columns(rows), now)


def _skips(batch: Sequence[Routed]) -> Iterator[tuple[Any, ...]]:
    for subject, routes in batch:
        for route in routes:
            for channel, reason in route.skips:
                delivery = ids.delivery(subject.tenant, subject.id, route.recipient, channel)
                yield (
                    subject.tenant, delivery, subject.lifetime.expires_on, subject.id, route.recipient, channel,
                    subject.lane, reason, subject.accepted_at,
                )  # fmt: skip


# The update of what is there changes nothing but locks the window, so that a flush cannot close it without this
# transaction's items. Keys in order, here and in the flush, keep two transactions from waiting for each other.
_OPEN_WINDOWS = """
INSERT INTO windows (tenant, recipient, class_key, id, opened_at, due_at)
SELECT tenant, recipient, class_key, id, $6::timestamptz, $6 + make_interval(secs => seconds)
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::integer[])
  AS opening (tenant, recipient, class_key, id, seconds)
ORDER BY tenant, recipient, class_key
ON CONFLICT (tenant, recipient, class_key) DO UPDATE SET due_at = windows.due_at
RETURNING tenant, recipient, class_key, id, opened_at, due_at
"""


async def _open_windows(connection: Connection, batch: Sequence[Routed], now: datetime) -> list[Window]:
    wanted = _wanted_windows(batch)
    rows = [(*key, ids.digest(*key, now), seconds) for key, seconds in wanted.items()]
    if not rows:
        return []
    opened_here = {row[3] for row in rows}
    found = await connection.fetch(_OPEN_WINDOWS, *columns(rows), now)
    return [Window(*row) for row in found if row["id"] in opened_here]


def _wanted_windows(batch: Sequence[Routed]) -> dict[tuple[str, str, str], int]:
    wanted: dict[tuple[str, str, str], int] = {}
    for subject, routes in batch:
        for route in routes:
            if route.email is EmailPlan.DIGEST:
                wanted.setdefault((subject.tenant, route.recipient, subject.class_key), subject.policy.window_seconds)
    return wanted


_INSERT_TIMELINE = """
INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
SELECT tenant, id, expires_on, at, event, detail::jsonb
FROM unnest($1::text[], $2::uuid[], $3::date[], $4::timestamptz[], $5::text[], $6::text[])
  AS moment (tenant, id, expires_on, at, event, detail)
"""

Moment = tuple[Subject, datetime, str, dict[str, Any]]
"""Something that happened to a notification: when, what, and its detail."""


async def insert_timeline(connection: Connection, moments: Iterable[Moment]) -> None:
    """Tell what happened, for the trace."""
    rows = [
        (subject.tenant, subject.id, subject.lifetime.expires_on, at, event, json_text(detail))
        for subject, at, event, detail in moments
    ]
    if rows:
        await connection.execute(_INSERT_TIMELINE, *columns(rows))


def json_text(value: Any) -> str:
    """A value as text: within an array of jsonb, asyncpg would take a list for one more dimension."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits, which jsonb keeps
        return json.dumps(value)


def columns(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows turned into the arrays that `unnest` takes; there must be at least one row."""
    return list(zip(*rows, strict=True))
