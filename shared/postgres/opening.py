"""The connections a service starts with, on a schema that its release can work with."""

from shared.postgres import migrate
from shared.postgres.pool import Pool, open_pool, reachable
from shared.runtime import startup
from shared.runtime.settings import PostgresSettings
from shared.runtime.startup import Start


async def checked_pool(start: Start, settings: PostgresSettings, application: str, check: str = "postgres") -> Pool:
    """A pool that lives as long as the service; `check` is its name among the readiness checks.

    Raises:
        SchemaTooOldError: migrations are missing.
        StopAskedError: told to stop while PostgreSQL did not answer.
    """
    pool = await start.entered(lambda: open_pool(settings, application), check)
    await startup.until_it_answers(lambda: migrate.require_schema(pool), start.stop, check)
    start.health.ready[check] = lambda: reachable(pool)
    return pool
