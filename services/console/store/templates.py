"""`templates`: the mail templates of a tenant, version by version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.console.store import statements
from shared.postgres.pool import Pool, tenant_transaction

_KEPT_VERSIONS = 100


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template; `created_at` is None for what comes with the product."""

    name: str
    version: int
    required: Sequence[str]
    optional: Sequence[str]
    created_at: datetime | None
    html: str


@dataclass(frozen=True, slots=True)
class New:
    """A template to be stored."""

    name: str
    html: str
    required: Sequence[str]
    optional: Sequence[str]


_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))"
# What is put again as it is makes no version.
_PUT = """
WITH newest AS (
  SELECT * FROM templates WHERE tenant = $1 AND name = $2 ORDER BY version DESC LIMIT 1
), made AS (
  INSERT INTO templates (tenant, name, version, html, required, optional)
  SELECT $1, $2, coalesce((SELECT version FROM newest), 0) + 1, $3, $4, $5
  WHERE NOT EXISTS (SELECT FROM newest WHERE html = $3 AND deleted_at IS NULL)
  RETURNING *
), trimmed AS (
  DELETE FROM templates WHERE tenant = $1 AND name = $2 AND version <= (SELECT version FROM newest) - $6
)
SELECT name, version, required, optional, created_at, html FROM made
UNION ALL
SELECT name, version, required, optional, created_at, html FROM newest WHERE NOT EXISTS (SELECT FROM made)
"""


async def put(pool: Pool, tenant: str, new: New) -> Template:
    """Add a version, or return the newest where it is the same."""
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(_ONE_AT_A_TIME, tenant, new.name)
        [row] = await connection.fetch(_PUT, tenant, new.name, new.html, new.required, new.optional, _KEPT_VERSIONS)
    return _template(row)


_GET = """
SELECT name, version, required, optional, created_at, html FROM templates
WHERE tenant = $1 AND name = $2 AND deleted_at IS NULL AND ($3::integer IS NULL OR version = $3)
ORDER BY version DESC LIMIT 1
"""


async def get(pool: Pool, tenant: str, name: str, version: int | None) -> Template | None:
    """A version of a template, or the newest."""
    row = await statements.row(pool, tenant, _GET, name, version)
    return None if row is None else _template(row)


_LIST = """
SELECT DISTINCT ON (name) name, version, required, optional, created_at, '' AS html FROM templates
WHERE tenant = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR name > $2)
ORDER BY name, version DESC LIMIT $3
"""


async def after(pool: Pool, tenant: str, last: str | None, most: int) -> list[Template]:
    """The newest version of each template without its HTML, in the order of names, behind `last`."""
    return [_template(row) for row in await statements.rows(pool, tenant, _LIST, last, most)]


_DELETE = """
UPDATE templates SET deleted_at = db_now() WHERE tenant = $1 AND name = $2 AND deleted_at IS NULL RETURNING version
"""


async def delete(pool: Pool, tenant: str, name: str) -> bool:
    """Keep a template from new notifications; False when there is none."""
    return await statements.row(pool, tenant, _DELETE, name) is not None


_RECIPIENT = "SELECT first_name FROM users WHERE tenant = $1 AND id = $2"


async def first_name(pool: Pool, tenant: str, recipient: str) -> str | None:
    """The first name of a user, '' where none is known; None when there is no such user."""
    row = await statements.row(pool, tenant, _RECIPIENT, recipient)
    return None if row is None else row["first_name"] or ""


def _template(row: asyncpg.Record) -> Template:
    return Template(*row.values())
