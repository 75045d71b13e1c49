"""`directory_versions`: the newest version applied of what was told on `directory.changes`, removals included."""

from collections.abc import Mapping, Sequence

from shared.postgres.pool import Connection

_RAISE = """
INSERT INTO directory_versions AS known (tenant, subject, version)
SELECT $1, told.subject, told.version FROM unnest($2::bytea[], $3::bigint[]) AS told (subject, version)
ORDER BY told.subject
ON CONFLICT (tenant, subject) DO UPDATE SET version = excluded.version, changed_at = clock_timestamp()
  WHERE known.version < excluded.version
RETURNING subject
"""


async def raised(connection: Connection, tenant: str, versions: Mapping[bytes, int]) -> set[bytes]:
    """The subjects for which this version is newer than any before; what is left out is a repeat or came late."""
    rows = await connection.fetch(_RAISE, tenant, list(versions), list(versions.values()))
    return {row["subject"] for row in rows}


_NEWER = """
SELECT told.subject FROM unnest($2::bytea[], $3::bigint[]) AS told (subject, version)
WHERE NOT EXISTS (
  SELECT FROM directory_versions known
  WHERE known.tenant = $1 AND known.subject = told.subject AND known.version >= told.version)
ORDER BY told.subject
"""


async def newer(connection: Connection, tenant: str, versions: Mapping[bytes, int]) -> list[bytes]:
    """The subjects that `raised` would name, in order."""
    rows = await connection.fetch(_NEWER, tenant, list(versions), list(versions.values()))
    return [row["subject"] for row in rows]


_KNOWN_TENANTS = "SELECT id FROM tenants WHERE id = ANY ($1::text[])"


async def known_tenants(connection: Connection, tenants: Sequence[str]) -> set[str]:
    """Those of these tenants that exist."""
    return {row["id"] for row in await connection.fetch(_KNOWN_TENANTS, tenants)}
