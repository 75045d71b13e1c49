"""What a script or job is given to read: its notification, its recipient, its schedule, its owner's authority."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from services.dispatcher.runs.planning import Run, RunKind
from shared.access import Scope
from shared.contract.outcomes import Reason
from shared.contract.requests import MAX_RECIPIENTS
from shared.postgres.pool import Connection
from shared.scripts import Due, Notification, Recipient


@dataclass(frozen=True, slots=True)
class Authority:
    """What the owner of a notification may do; an owner that is no key (a topic's writer) may do all of the tenant."""

    scopes: frozenset[str] | None

    def allows(self, class_key: str) -> bool:
        """Whether the owner may publish a class."""
        if self.scopes is None:
            return True
        return bool({Scope.ADMIN, Scope.PUBLISH, f"{Scope.PUBLISH}:{class_key}"} & self.scopes)


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything a call is made of; `ended` says why there is nothing to run any more."""

    notification: Notification
    recipient: Recipient | None
    due: Due | None
    authority: Authority
    ended: Reason | None
    is_owner_gone: bool


# Keys are never deleted, so a revoked one is known for what it is.
_SUBJECT = """
SELECT n.id, n.tenant, n.source, n.name, n.description, n.importance, n.class_key, n.options, n.items,
  n.requires_action, n.action_url, n.owner, n.created_at, n.recipient_count,
  CASE WHEN n.cancelled_at IS NOT NULL THEN 'cancelled' WHEN n.expires_at <= db_now() THEN 'expired' END AS ended,
  k.scopes, k.revoked_at IS NOT NULL OR (k.expires_at <= db_now()) IS TRUE AS is_owner_gone,
  s.id AS schedule_id, s.due_at, s.local, s.timezone
FROM notifications n
LEFT JOIN api_keys k ON k.tenant = n.tenant AND k.id = n.owner
LEFT JOIN schedules s ON s.tenant = n.tenant AND s.notification_id = n.id
WHERE n.tenant = $1 AND n.id = $2 AND n.expires_on = $3
"""

_RECIPIENTS = """
SELECT recipient FROM inbox_items WHERE tenant = $1 AND notification_id = $2 AND expires_on = $3
ORDER BY recipient LIMIT $4
"""

_RECIPIENT = """
SELECT id, kind, coalesce(email, '') <> '' AS has_address, first_name, last_name, locale, timezone
FROM users WHERE tenant = $1 AND id = $2
"""


async def of_run(connection: Connection, run: Run) -> Subject | None:
    """What a run is about; None when its notification's record is gone."""
    key = (run.tenant, run.notification_id, run.expires_on)
    row = await connection.fetchrow(_SUBJECT, *key)
    if row is None:
        return None
    recipients = [each["recipient"] for each in await connection.fetch(_RECIPIENTS, *key, MAX_RECIPIENTS)]
    recipient = None if run.recipient is None else await _recipient(connection, run.tenant, run.recipient)
    return Subject(
        _notification(row, recipients), recipient, _due(row) if run.kind is RunKind.JOB else None,
        Authority(None if row["scopes"] is None else frozenset(row["scopes"])),
        None if row["ended"] is None else Reason(row["ended"]), row["is_owner_gone"],
    )  # fmt: skip


async def _recipient(connection: Connection, tenant: str, recipient: str) -> Recipient:
    """C13: whoever it is, a script gets to know the kind."""
    row = await connection.fetchrow(_RECIPIENT, tenant, recipient)
    return Recipient(recipient, "unknown") if row is None else Recipient(**row)


def _notification(row: asyncpg.Record, recipients: list[str]) -> Notification:
    names = (
        "id", "tenant", "source", "name", "description", "importance", "class_key", "options", "items",
        "requires_action", "action_url", "owner", "created_at", "recipient_count",
    )  # fmt: skip
    values: dict[str, Any] = {name: row[name] for name in names}
    return Notification(**values, recipients=recipients)


def _due(row: asyncpg.Record) -> Due | None:
    if row["schedule_id"] is None:
        return None
    return Due(row["schedule_id"], row["due_at"], row["local"], row["timezone"])
