"""The console put together: its pool and its API."""

from contextlib import AsyncExitStack, closing

import structlog
from prometheus_client import CollectorRegistry

from services.console import api
from services.console.metrics import Metrics
from services.console.settings import Settings
from shared import destinations
from shared.postgres import migrate
from shared.postgres.pool import open_pool, reachable
from shared.runtime import health, lifecycle, startup, web
from shared.runtime.secret_file import SecretFile

_log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Serve the console until it is told to stop."""
    registry = CollectorRegistry()
    checks = health.Health(ready={"start": startup.still_starting})
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(lifecycle.stop_on_signals())
        listening = stack.enter_context(closing(web.bound_socket(settings)))
        await stack.enter_async_context(health.serve(checks, registry, settings.ops_host, settings.ops_port))
        pool = await startup.until_it_answers(
            lambda: stack.enter_async_context(open_pool(settings, "tocsin-console")), stop, "PostgreSQL"
        )
        await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
        secret = SecretFile(settings.api_key_secret_file)
        built = api.build(
            api.Parts(pool, secret, destinations.policy(settings.allowed_private_hosts), Metrics(registry))
        )
        checks.ready["postgres"] = lambda: reachable(pool)
        del checks.ready["start"]
        _log.info("started", port=listening.getsockname()[1])
        await lifecycle.run_until_stopped(
            {"http": lambda stopping: web.serve(built, listening, stopping)}, stop, settings.drain_seconds
        )
