"""What is stored of notifications taken in before: what a repeat, or a crash before Kafka's acks, produces again.

Nothing is resolved anew: the endpoints stand in the inbox items, and what a sink has claimed has a row of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.dispatcher import policy
from services.dispatcher.handover import Window
from services.dispatcher.policy import Lifetime, Subject
from services.dispatcher.routing import Route, Routed, Skip
from services.dispatcher.store_rows import columns
from shared.contract import ids
from shared.contract.importance import STANDARD_OPTIONS, Importance, Lane
from shared.contract.outcomes import Channel, DeliveryState, EmailPlan, Reason
from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Stored:
    """A notification as it was recorded; `fans_out`: its recipients are fan-out's, not intake's."""

    subject: Subject
    recipient_count: int
    fans_out: bool


_ALIVE = """
SELECT notifications.tenant, id, expires_on, importance, class_key, options, channels, lane, accepted_at, expires_at,
  remove_after, recipient_count, script, importances.send,
  EXISTS (SELECT FROM fanouts WHERE fanouts.notification_id = notifications.id) AS fans_out
FROM notifications LEFT JOIN importances
  ON importances.tenant = notifications.tenant AND importances.name = notifications.importance
WHERE id = ANY($1::uuid[]) AND cancelled_at IS NULL AND (expires_at IS NULL OR expires_at > db_now())
"""


async def alive(connection: Connection, notifications: Sequence[UUID], default_window_seconds: int) -> list[Stored]:
    """Those of these notifications that are recorded, not cancelled and not expired."""
    if not notifications:
        return []
    return [_stored(row, default_window_seconds) for row in await connection.fetch(_ALIVE, notifications)]


def _stored(row: asyncpg.Record, default_window_seconds: int) -> Stored:
    importance = Importance(row["importance"])
    subject = Subject(
        row["tenant"], row["id"], importance, row["class_key"], Lane(row["lane"]), row["accepted_at"],
        policy.policy_of(
            [Channel(channel) for channel in row["channels"]],
            row["options"],
            send=STANDARD_OPTIONS[importance].send if row["send"] is None else row["send"],
            default_window_seconds=default_window_seconds,
            script=row["script"],
        ),
        Lifetime(row["expires_on"], row["expires_at"], row["remove_after"]),
    )  # fmt: skip
    return Stored(subject, row["recipient_count"], row["fans_out"])


_ITEMS = """
SELECT notification_id, recipient, hidden, push_endpoints::text[] AS push, email_plan, created_at
FROM inbox_items WHERE notification_id = ANY($1::uuid[]) AND expires_on = ANY($2::date[])
"""

_DELIVERIES = """
SELECT subject_id, recipient, endpoint, channel, state, reason, created_at
FROM deliveries WHERE subject_id = ANY($1::uuid[]) AND expires_on = ANY($2::date[])
"""


async def unclaimed(connection: Connection, subjects: Sequence[Subject]) -> list[Routed]:
    """The stored routes of every recipient, without what a sink has claimed."""
    if not subjects:
        return []
    asked = ([subject.id for subject in subjects], list({subject.lifetime.expires_on for subject in subjects}))
    items, deliveries = await connection.fetch(_ITEMS, *asked), await connection.fetch(_DELIVERIES, *asked)
    routes = _unclaimed_routes(items, deliveries)
    return [Routed(subject, routes[subject.id]) for subject in subjects]


_ITEMS_OF = """
SELECT notification_id, recipient, hidden, push_endpoints::text[] AS push, email_plan, created_at
FROM inbox_items WHERE tenant = $1 AND notification_id = $2 AND expires_on = $3 AND recipient = ANY($4::text[])
"""

_DELIVERIES_OF = """
SELECT subject_id, recipient, endpoint, channel, state, reason, created_at
FROM deliveries WHERE tenant = $1 AND subject_id = $2 AND expires_on = $3 AND recipient = ANY($4::text[])
"""


async def unclaimed_of(connection: Connection, subject: Subject, recipients: Sequence[str]) -> Routed:
    """As `unclaimed`, of some recipients of one notification."""
    asked = (subject.tenant, subject.id, subject.lifetime.expires_on, recipients)
    items, deliveries = await connection.fetch(_ITEMS_OF, *asked), await connection.fetch(_DELIVERIES_OF, *asked)
    return Routed(subject, _unclaimed_routes(items, deliveries)[subject.id])


def _unclaimed_routes(items: Sequence[asyncpg.Record], deliveries: Sequence[asyncpg.Record]) -> dict[UUID, list[Route]]:
    known: dict[tuple[UUID, str], list[asyncpg.Record]] = defaultdict(list)
    for delivery in deliveries:
        known[delivery["subject_id"], delivery["recipient"]].append(delivery)
    routes: dict[UUID, list[Route]] = defaultdict(list)
    for item in items:
        rows = known[item["notification_id"], item["recipient"]]
        routes[item["notification_id"]].append(_unclaimed_route(item, rows))
    return routes


def _unclaimed_route(item: asyncpg.Record, deliveries: Sequence[asyncpg.Record]) -> Route:
    claimed = {delivery["endpoint"] for delivery in deliveries}
    email = EmailPlan(item["email_plan"])
    if email is EmailPlan.IMMEDIATE and ids.EMAIL in claimed:
        email = EmailPlan.NONE
    # What was skipped later, by a flush for instance, was told by whoever skipped it.
    skips = tuple(
        Skip(Channel(row["channel"]), Reason(row["reason"]))
        for row in deliveries
        if row["state"] == DeliveryState.SKIPPED and row["created_at"] == item["created_at"]
    )
    push = tuple(endpoint for endpoint in item["push"] if endpoint not in claimed)
    return Route(item["recipient"], item["hidden"], push, email, skips)


_OPEN_WINDOWS = """
SELECT tenant, recipient, class_key, id, opened_at, due_at
FROM windows JOIN unnest($1::text[], $2::text[], $3::text[]) AS asked (tenant, recipient, class_key)
  USING (tenant, recipient, class_key)
"""


async def open_windows(connection: Connection, batch: Sequence[Routed]) -> list[Window]:
    """The windows still open for what goes into a digest."""
    keys = {
        (subject.tenant, route.recipient, subject.class_key)
        for subject, routes in batch
        for route in routes
        if route.email is EmailPlan.DIGEST
    }
    return [Window(*row) for row in await connection.fetch(_OPEN_WINDOWS, *columns(keys))] if keys else []
