"""`bodies`: contents by their hash; of records that named no tenant, row-level security shows them to the only one."""

from services.console.store import statements
from shared.postgres.pool import Pool

_GET = "SELECT content FROM bodies WHERE tenant IN ($1, '') AND hash = $2 ORDER BY tenant DESC LIMIT 1"


async def get(pool: Pool, tenant: str, name: bytes) -> bytes | None:
    """The content of a SHA-256."""
    row = await statements.row(pool, tenant, _GET, name)
    return None if row is None else row["content"]
