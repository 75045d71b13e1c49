"""`users`: who can be a recipient, and how they are reached by mail."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import orjson

from services.console.store import statements
from shared.contract.directory_entries import QuietHours, UserEntry
from shared.postgres.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class User:
    """A user of a tenant; only the id is required."""

    id: str
    login: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    locale: str | None
    timezone: str | None
    quiet_hours: QuietHours | None
    kind: str
    roles: Sequence[str]


# Roles travel as JSON: unnest would flatten an array of arrays.
_PUT = """
INSERT INTO users (tenant, id, login, email, first_name, last_name, locale, timezone, quiet_from, quiet_to, kind, roles)
SELECT $1, put.id, put.login, put.email, put.first_name, put.last_name, put.locale, put.timezone,
       put.quiet_from::time, put.quiet_to::time, put.kind, ARRAY(SELECT jsonb_array_elements_text(put.roles::jsonb))
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::text[])
  AS put (id, login, email, first_name, last_name, locale, timezone, quiet_from, quiet_to, kind, roles)
ORDER BY put.id
ON CONFLICT (tenant, id) DO UPDATE SET login = excluded.login, email = excluded.email,
  first_name = excluded.first_name, last_name = excluded.last_name, locale = excluded.locale,
  timezone = excluded.timezone, quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to,
  kind = excluded.kind, roles = excluded.roles, changed_at = clock_timestamp()
"""


async def put(connection: Connection, tenant: str, users: Sequence[UserEntry]) -> None:
    """Make users, or replace those there are; each id once."""
    if not users:
        return
    rows = [
        (user.id, user.login, user.email, user.first_name, user.last_name, user.locale, user.timezone,
         user.quiet_hours and user.quiet_hours.begins, user.quiet_hours and user.quiet_hours.ends, user.kind,
         orjson.dumps(list(user.roles)).decode())
        for user in users
    ]  # fmt: skip
    await connection.execute(_PUT, tenant, *zip(*rows, strict=True))


_GET = """
SELECT id, login, email, first_name, last_name, locale, timezone, quiet_from, quiet_to, kind, roles FROM users
WHERE tenant = $1 AND id = $2
"""


async def get(pool: Pool, tenant: str, user: str) -> User | None:
    """The user of an id."""
    row = await statements.row(pool, tenant, _GET, user)
    return None if row is None else _user(row)


_LIST = """
SELECT id, login, email, first_name, last_name, locale, timezone, quiet_from, quiet_to, kind, roles FROM users
WHERE tenant = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3
"""


async def after(pool: Pool, tenant: str, last: str | None, most: int) -> list[User]:
    """Users in the order of their ids, behind `last`."""
    return [_user(row) for row in await statements.rows(pool, tenant, _LIST, last, most)]


_DELETE = "DELETE FROM users WHERE tenant = $1 AND id = ANY ($2::text[]) RETURNING id"
_DELETE_ENDPOINTS = "DELETE FROM endpoints WHERE tenant = $1 AND recipient = ANY ($2::text[])"
_DELETE_MEMBERSHIPS = "DELETE FROM group_members WHERE tenant = $1 AND user_id = ANY ($2::text[])"
_DELETE_TOKENS = "DELETE FROM sam_tokens WHERE tenant = $1 AND user_id = ANY ($2::text[])"


async def delete(connection: Connection, tenant: str, users: Sequence[str]) -> int:
    """Delete users with all that would be theirs again if somebody got the same id; how many users there were.

    The users go first: a token that is being made waits for them or is seen by the statement after.
    """
    if not users:
        return 0
    deleted = await connection.fetch(_DELETE, tenant, users)
    await connection.execute(_DELETE_TOKENS, tenant, users)
    await connection.execute(_DELETE_ENDPOINTS, tenant, users)
    await connection.execute(_DELETE_MEMBERSHIPS, tenant, users)
    return len(deleted)


def _user(row: asyncpg.Record) -> User:
    about = dict(row)
    begins, ends = about.pop("quiet_from"), about.pop("quiet_to")
    quiet = None if begins is None else QuietHours.model_validate({"from": f"{begins:%H:%M}", "to": f"{ends:%H:%M}"})
    return User(**about, quiet_hours=quiet)
