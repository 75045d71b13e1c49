"""`importances`: where a tenant overrides their standard options (C2)."""

from services.console.store import statements
from shared.contract.importance import ImportanceOptions
from shared.postgres.pool import Pool

_PUT = """
INSERT INTO importances (tenant, name, retention, css_class, sort, send) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, name) DO UPDATE SET retention = excluded.retention, css_class = excluded.css_class,
  sort = excluded.sort, send = excluded.send, changed_at = clock_timestamp()
"""


async def put(pool: Pool, tenant: str, name: str, options: ImportanceOptions) -> None:
    """Override the standard options of an importance."""
    await statements.run(pool, tenant, _PUT, name, options.retention, options.css_class, options.sort, options.send)


_ALL = "SELECT name, retention, css_class, sort, send FROM importances WHERE tenant = $1"


async def overridden(pool: Pool, tenant: str) -> dict[str, ImportanceOptions]:
    """What a tenant overrides, by the importance's name."""
    rows = await statements.rows(pool, tenant, _ALL)
    return {
        row["name"]: ImportanceOptions(row["retention"], row["css_class"], row["sort"], row["send"]) for row in rows
    }
