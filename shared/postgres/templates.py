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
SELECT html FROM templates WHERE tenant = $1 AND name = $2 AND required <@ $3::text[] ORDER BY version DESC LIMIT 1
"""


async def html(source: Pool | Connection, tenant: str, name: str, params: Collection[str]) -> str | None:
    """The text to send with; deleted ones count, since what was accepted is sent. None when there is none.

    Raises:
        TransientError: PostgreSQL is away.
    """
    with transient_when_away():
        found: str | None = await source.fetchval(_HTML, tenant, name, list(params))
    return found if found is not None else shipped.sources().get(name)
