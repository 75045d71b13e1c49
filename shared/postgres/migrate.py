"""Forward-only migrations: `migrations/NNNN_{expand|contract}_what.sql`, each in a transaction of its own."""

import re
from dataclasses import dataclass
from importlib import resources

import asyncpg

from shared.postgres.pool import transient_when_away

_NAME = re.compile(r"(\d{4})_(expand|contract)_\w+\.sql")
_ONE_MIGRATOR = 7_461_002
"""The advisory lock under which one process migrates."""

_CREATE_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""
_APPLIED = "SELECT number FROM schema_migrations"
_RECORD = "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)"
_VERSION = "SELECT max(number) FROM schema_migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: its number, file name and SQL."""

    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """Every migration of this release, in order."""
    folder = resources.files("shared.postgres") / "migrations"
    found = [
        Migration(int(matched[1]), matched[0], (folder / matched[0]).read_text())
        for matched in (_NAME.fullmatch(entry.name) for entry in folder.iterdir())
        if matched
    ]
    return sorted(found, key=lambda migration: migration.number)


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing as the owner of the database; returns the names applied. Safe to run side by side."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _ONE_MIGRATOR)
        await connection.execute(_CREATE_LEDGER)
        applied = {row["number"] for row in await connection.fetch(_APPLIED)}
        missing = [migration for migration in migrations() if migration.number not in applied]
        for migration in missing:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '5min'")
                await connection.execute(migration.sql)
                await connection.execute(_RECORD, migration.number, migration.name)
        return [migration.name for migration in missing]
    finally:
        await connection.close()


class SchemaTooOldError(RuntimeError):
    """The database lacks migrations this release needs; run `tocsin migrate` first."""


async def require_schema(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Refuse to start on a schema older than this release's.

    Raises:
        SchemaTooOldError: migrations are missing.
        TransientError: PostgreSQL does not answer.
    """
    needed = migrations()[-1].number
    try:
        with transient_when_away():
            found = await pool.fetchval(_VERSION) or 0
    except asyncpg.UndefinedTableError:
        found = 0
    if found < needed:
        raise SchemaTooOldError(f"the schema is at {found}, this release needs {needed}; run `tocsin migrate` first")
