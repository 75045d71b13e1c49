"""A fresh database per test, cloned from a template that is migrated once per run."""

import contextlib
import hashlib
import urllib.parse
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg

from shared.postgres import migrate

TEMPLATE_LOCK = 7_305_811  # any number no other program locks

# A clone copies every file of its template, and most of them are partitions of days no test looks at. A test that
# keeps something longer than this asks for its partitions with make_partitions.
DROP_FAR_PARTITIONS = """
DO $$
DECLARE
  far text;
BEGIN
  FOR far IN SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
             JOIN pg_class parent ON parent.oid = inhparent
             WHERE parent.relname = ANY (expiring_tables()) AND child.relname ~ '_[0-9]{8}$'
               AND to_date(right(child.relname, 8), 'YYYYMMDD') > current_date + 9 LOOP
    EXECUTE format('DROP TABLE %I', far);
  END LOOP;
END $$
"""


@dataclass(frozen=True)
class Database:
    """A database of one test: `owner` is its owner's DSN."""

    owner: str
    name: str

    def dsn(self, role: str) -> str:
        """The DSN for one of the services' roles, `tocsin_ingest` or short `ingest`."""
        login = role if role.startswith("tocsin_") else f"tocsin_{role}"
        return _with(self.owner, user=login)


def _with(dsn: str, *, user: str | None = None, database: str | None = None) -> str:
    parts = urllib.parse.urlsplit(dsn)
    address = parts.netloc.rpartition("@")[2]
    netloc = f"{user}@{address}" if user else parts.netloc
    return parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path).geturl()


def _template_name() -> str:
    digest = hashlib.sha256(DROP_FAR_PARTITIONS.encode())
    for step in migrate.migrations():
        digest.update(f"{step.name}\n{step.sql}\n".encode())
    return f"tocsin_template_{digest.hexdigest()[:16]}"


@contextlib.asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def template(server: str) -> str:
    """The name of the migrated template on this server; made by whoever comes first, all others wait."""
    name = _template_name()
    async with _connected(server) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            scratch = f"{name}_{uuid.uuid4().hex[:8]}"
            await connection.execute(f'CREATE DATABASE "{scratch}"')
            await migrate.migrate(_with(server, database=scratch))
            async with _connected(_with(server, database=scratch)) as fresh:
                await fresh.execute(DROP_FAR_PARTITIONS)
            await connection.execute(f'ALTER DATABASE "{scratch}" RENAME TO "{name}"')
    return name


@contextlib.asynccontextmanager
async def cloned(server: str) -> AsyncIterator[Database]:
    """A database of its own, dropped at the end with whatever is still connected."""
    source = await template(server)
    name = f"tocsin_test_{uuid.uuid4().hex[:12]}"
    async with _connected(server) as connection:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY file_copy')
    try:
        yield Database(owner=_with(server, database=name), name=name)
    finally:
        async with _connected(server) as connection:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.asynccontextmanager
async def empty(server: str) -> AsyncIterator[str]:
    """The owner's DSN of a database without any schema, dropped at the end."""
    name = f"tocsin_empty_{uuid.uuid4().hex[:12]}"
    async with _connected(server) as connection:
        await connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield _with(server, database=name)
    finally:
        async with _connected(server) as connection:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
