"""Templates as those see them who accept or send: what a name needs, and the text to send with."""

from collections.abc import Collection, Sequence

from shared.postgres.pool import Connection, Pool, transient_when_away
from shared.templates import language, shipped

_REQUIRED = """
SELECT asked.tenant, asked.name, newest.required
FROM unnest($1::text[], $2::text[]) AS asked (tenant, name) CROSS JOIN LATERAL (
  SELECT required FROM templates t
  WHERE t.tenant = asked.tenant AND t.name = asked.name AND t.deleted_at IS NULL ORDER BY t.version DESC LIMIT 1
) AS newest
"""


async def required(
    source: Pool | Connection, asked: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Sequence[str]]:
    """The params that the newest versions of templates, each named by (tenant, name), need from their senders.

    Templates that there are not are left out. With `shared.contract.template_params.lacking`, all that a door checks.

    Raises:
        TransientError: PostgreSQL is away.
    """
    columns = ([tenant for tenant, _ in asked], [name for _, name in asked])
    with transient_when_away():
        rows = await source.fetch(_REQUIRED, *columns)
    found = {(row["tenant"], row["name"]): row["required"] for row in rows}
    return {key: sorted(language.params_of(html).required) for key in asked
            if (html := shipped.sources().get(key[1]))} | found  # fmt: skip


# Of a template that was changed since the notification was accepted: the newest version that these params suffice for.
_HTML = """
SELECT html, deleted_at IS NOT NULL AS is_deleted FROM templates
WHERE tenant = $1 AND name = $2 AND required <@ $3::text[] ORDER BY is_deleted, version DESC LIMIT 1
"""


async def html(source: Pool | Connection, tenant: str, name: str, params: Collection[str]) -> str | None:
    """The text to send with; deleted ones count, since what was accepted is sent. None when there is none.

    In the place of a deleted one the product's own of that name comes back, if the params suffice for it.

    Raises:
        TransientError: PostgreSQL is away.
    """
    with transient_when_away():
        row = await source.fetchrow(_HTML, tenant, name, list(params))
    own: str | None = None if row is None else row["html"]
    if row is not None and not row["is_deleted"]:
        return own
    of_product = shipped.sources().get(name)
    suffices = of_product is not None and language.params_of(of_product).required <= set(params)
    return of_product if suffices or own is None else own
