"""What a script or job is given to read: its notification, its recipient, its schedule, its owner's authority."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from services.dispatcher.runs.planning import Run, RunKind
from shared import owners, sam_access
from shared.access import Scope
from shared.contract.outcomes import Reason
from shared.contract.requests import MAX_RECIPIENTS
from shared.postgres.pool import Connection
from shared.scripts import Call, Due, Notification, Recipient


@dataclass(frozen=True, slots=True)
class Authority:
    """What the owner of a notification may do; `scopes` None is all of the tenant.

    `companies`: those whose users and groups it may send to; None is everybody.
    """

    scopes: frozenset[str] | None
    companies: frozenset[str] | None = None

    def allows(self, class_key: str) -> bool:
        """Whether the owner may publish a class."""
        if self.scopes is None:
            return True
        return bool({Scope.ADMIN, Scope.PUBLISH, f"{Scope.PUBLISH}:{class_key}"} & self.scopes)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who an owner is found to be: a live key by its `scopes`, a user by the `roles`; neither when it is gone."""

    id: str
    scopes: Collection[str] | None
    roles: Collection[str] | None
    companies: Collection[str] = ()


def authority_of(owner: Owner, class_key: str) -> Authority | None:
    """What the owner of a notification of a class may do now; None when it may not even send any more.

    A user of the sendNotification dialect who is no super user may send to companies of its own only (B2), and no class
    can be asked for there: the script has the notification's own.
    """
    if owner.id == owners.TOPIC:
        return Authority(None)
    if owner.scopes is not None:
        return Authority(frozenset(owner.scopes))
    roles = owner.roles or ()
    if sam_access.SUPER_USER in roles:
        return Authority(None)
    if owner.companies and sam_access.OF_A_COMPANY.intersection(roles):
        return Authority(frozenset({f"{Scope.PUBLISH}:{class_key}"}), frozenset(owner.companies))
    return None


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything a call is made of; `ended` says why there is nothing to run any more.

    `authority` None: the owner is gone, was revoked or lost its role.
    """

    notification: Notification
    recipient: Recipient | None
    due: Due | None
    authority: Authority | None
    ended: Reason | None


# A key that was revoked or has expired and a user who was removed join nothing, and then have no authority.
_SUBJECT = """
SELECT n.id, n.tenant, n.source, n.name, n.description, n.importance, n.class_key, n.options, n.items,
  n.requires_action, n.action_url, n.owner, n.created_at, n.recipient_count,
  CASE WHEN n.cancelled_at IS NOT NULL THEN 'cancelled' WHEN n.expires_at <= db_now() THEN 'expired' END AS ended,
  k.scopes, u.roles,
  ARRAY (SELECT m.group_id FROM group_members m
    WHERE m.tenant = u.tenant AND m.user_id = u.id AND m.kind = 'company' AND m.status = 'accepted') AS companies,
  s.id AS schedule_id, s.due_at, s.local, s.timezone
FROM notifications n
LEFT JOIN api_keys k ON k.tenant = n.tenant AND k.id = n.owner AND k.revoked_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > db_now())
LEFT JOIN users u ON starts_with(n.owner, $4) AND u.tenant = n.tenant AND u.id = substr(n.owner, length($4) + 1)
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
    row = await connection.fetchrow(_SUBJECT, *key, owners.USER_PREFIX)
    if row is None:
        return None
    recipients = [run.recipient] if run.recipient is not None else await _recipients(connection, key)
    recipient = None if run.recipient is None else await _recipient(connection, run.tenant, run.recipient)
    return Subject(
        _notification(row, recipients), recipient, _due(row) if run.kind is RunKind.JOB else None,
        authority_of(Owner(row["owner"], row["scopes"], row["roles"], row["companies"]), row["class_key"]),
        None if row["ended"] is None else Reason(row["ended"]),
    )  # fmt: skip


# Whom the notification itself went to may hear more of it, such as a guest in an event's team.
_BEYOND = """
SELECT asked.id FROM unnest($5::text[]) AS asked (id)
WHERE NOT EXISTS (SELECT FROM group_members WHERE tenant = $1 AND kind = 'company' AND group_id = ANY ($4)
    AND user_id = asked.id AND status = 'accepted')
  AND NOT EXISTS (SELECT FROM inbox_items WHERE tenant = $1 AND recipient = asked.id AND notification_id = $2
    AND expires_on = $3)
LIMIT 1
"""


async def beyond(connection: Connection, run: Run, companies: Collection[str], call: Call) -> str | None:
    """What a call asked for that is outside of companies, as a phrase; None when all of it is within."""
    for audience in (asked["audience"] for asked in call.requests if asked.get("audience")):
        if audience["company"] not in companies:
            return f"an audience of company {audience['company']}"
    named = sorted({recipient for asked in call.requests for recipient in asked.get("recipients", ())})
    stranger = await connection.fetchval(
        _BEYOND, run.tenant, run.notification_id, run.expires_on, list(companies), named
    )
    return None if stranger is None else f"recipient {stranger}"


async def _recipients(connection: Connection, key: tuple[str, UUID, date]) -> list[str]:
    return [each["recipient"] for each in await connection.fetch(_RECIPIENTS, *key, MAX_RECIPIENTS)]


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
