"""What intake and fan-out ask of the directory: a batch's class options, importances and recipients."""

from collections.abc import Collection
from datetime import datetime

from services.dispatcher.policy import Configured
from services.dispatcher.routing import Profile
from shared.contract.importance import ImportanceOptions
from shared.postgres.pool import Connection

Pairs = Collection[tuple[str, str]]
"""Distinct keys within tenants: (tenant, key)."""

_NOW = "SELECT db_now()"


async def now(connection: Connection) -> datetime:
    """The database's time, the same throughout a transaction."""
    told: datetime = await connection.fetchval(_NOW)
    return told


_CLASSES = """
SELECT tenant, key, options FROM classes
JOIN unnest($1::text[], $2::text[]) AS asked (tenant, key) USING (tenant, key)
"""

_IMPORTANCES = """
SELECT tenant, name, retention, css_class, sort, send FROM importances
JOIN unnest($1::text[], $2::text[]) AS asked (tenant, name) USING (tenant, name)
"""


async def configured(connection: Connection, classes: Pairs, importances: Pairs) -> Configured:
    """What tenants configured for these classes and importances."""
    found_classes = await connection.fetch(_CLASSES, *_columns(classes))
    found_importances = await connection.fetch(_IMPORTANCES, *_columns(importances))
    return Configured(
        {(row["tenant"], row["key"]): row["options"] for row in found_classes},
        {
            (row["tenant"], row["name"]): ImportanceOptions(
                row["retention"], row["css_class"], row["sort"], row["send"]
            )
            for row in found_importances
        },
    )


_PROFILES = """
SELECT users.tenant, users.id, users.kind = 'system', coalesce(users.email, '') <> '',
       (SELECT string_agg(endpoints.id::text, ',' ORDER BY endpoints.id) FROM endpoints
        WHERE endpoints.tenant = users.tenant AND endpoints.recipient = users.id
          AND endpoints.channel = 'push' AND endpoints.state = 'active')
FROM users JOIN unnest($1::text[], $2::text[]) AS asked (tenant, id) USING (tenant, id)
"""


async def profiles(connection: Connection, recipients: Pairs) -> dict[tuple[str, str], Profile]:
    """The profiles of those recipients that the directory knows, by (tenant, recipient)."""
    if not recipients:
        return {}
    rows = await connection.fetch(_PROFILES, *_columns(recipients))
    return {
        (tenant, recipient): Profile(is_system, has_address, tuple(push.split(",")) if push else ())
        for tenant, recipient, is_system, has_address, push in rows
    }


def _columns(pairs: Pairs) -> tuple[list[str], list[str]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
