"""The connections a service starts with, on a schema that its release can work with."""

from collections.abc import Mapping

from shared.postgres import migrate
from shared.postgres.pool import Pool, open_pool, reachable
from shared.runtime import startup
from shared.runtime.settings import PostgresSettings
from shared.runtime.startup import Start


async def checked_pool(
    start: Start,
    settings: PostgresSettings,
    application: str,
    check: str = "postgres",
    planning: Mapping[str, str] | None = None,
) -> Pool:
    """A pool that lives as long as the service; `check` is its name among the readiness checks.

    `planning` as in `open_pool`.

    Raises:
        SchemaTooOldError: migrations are missing.
        StopAskedError: told to stop while PostgreSQL did not answer.
    """
    pool = await start.entered(lambda: open_pool(settings, application, planning=planning), check)
    await startup.until_it_answers(lambda: migrate.require_schema(pool), start.stop, check)
    start.health.ready[check] = lambda: reachable(pool)
    return pool
