"""`tags`: what a campaignTagId of the sendNotification dialect names."""

from dataclasses import dataclass

from services.console.store import statements
from shared.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; `campaign` is the id of the campaign it stands for."""

    id: int
    name: str
    campaign: str | None


_PUT = """
INSERT INTO tags (tenant, id, name, campaign) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, campaign = excluded.campaign
"""


async def put(pool: Pool, tenant: str, made: Tag) -> None:
    """Make a tag, or replace the one there is."""
    await statements.run(pool, tenant, _PUT, made.id, made.name, made.campaign)


_GET = "SELECT id, name, campaign FROM tags WHERE tenant = $1 AND id = $2"


async def get(pool: Pool, tenant: str, tag: int) -> Tag | None:
    """The tag of an id."""
    row = await statements.row(pool, tenant, _GET, tag)
    return None if row is None else Tag(*row.values())


_LIST = """
SELECT id, name, campaign FROM tags WHERE tenant = $1 AND ($2::bigint IS NULL OR id > $2) ORDER BY id LIMIT $3
"""


async def after(pool: Pool, tenant: str, last: int | None, most: int) -> list[Tag]:
    """Tags in the order of their ids, behind `last`."""
    return [Tag(*row.values()) for row in await statements.rows(pool, tenant, _LIST, last, most)]


_DELETE = "DELETE FROM tags WHERE tenant = $1 AND id = $2 RETURNING id"


async def delete(pool: Pool, tenant: str, tag: int) -> bool:
    """Delete a tag; False when there is none. Links that were tagged before stay as they are."""
    return await statements.row(pool, tenant, _DELETE, tag) is not None
