"""Templates as those see them who accept or send: what a name needs, and the text to send with."""

from collections.abc import Collection, Sequence

from shared.postgres.pool import Connection, Pool, transient_when_away
from shared.templates import language, shipped

_REQUIRED = """
SELECT required FROM templates WHERE tenant = $1 AND name = $2 AND deleted_at IS NULL ORDER BY version DESC LIMIT 1
"""


async def required(source: Pool | Connection, tenant: str, name: str) -> Sequence[str] | None:
    """The params that the newest version of a template needs from its sender; None when there is no such template.

    With `shared.contract.template_params.lacking`, all that a door checks.

    Raises:
        TransientError: PostgreSQL is away.
    """
    with transient_when_away():
        found: list[str] | None = await source.fetchval(_REQUIRED, tenant, name)
    if found is None and name in shipped.sources():
        return sorted(language.params_of(shipped.sources()[name]).required)
    return found


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
