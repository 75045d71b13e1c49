"""Ingest put together: two doors, one validator, and what they share."""

from contextlib import AsyncExitStack, closing

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.ingest.metrics import Metrics
from services.ingest.publisher import Publisher
from services.ingest.settings import Settings
from shared.postgres import migrate
from shared.postgres.pool import open_pool
from shared.runtime import health, lifecycle, problems, startup, web

_log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Serve both doors until SIGTERM or SIGINT, then drain.

    Raises:
        SchemaTooOldError: migrations are missing.
        ExceptionGroup: a loop crashed.
        TimeoutError: the loops did not end within `drain_seconds`.
    """
    registry = CollectorRegistry()
    Metrics(registry)
    checks = health.Health(ready={"start": startup.still_starting})
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(lifecycle.stop_on_signals())
        listening = stack.enter_context(closing(web.bound_socket(settings)))
        await stack.enter_async_context(health.serve(checks, registry, settings.ops_host, settings.ops_port))
        publisher = Publisher(settings)
        stack.push_async_callback(publisher.close)
        checks.ready["kafka"] = publisher.connected
        pool = await startup.until_it_answers(
            lambda: stack.enter_async_context(open_pool(settings, "tocsin-ingest")), stop, "PostgreSQL"
        )
        await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
        api = FastAPI(title="Tocsin ingest", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None)
        problems.install(api)
        del checks.ready["start"]
        _log.info("started", port=listening.getsockname()[1])
        loops: dict[str, lifecycle.Loop] = {
            "http": lambda stopping: web.serve(api, listening, stopping),
            "kafka": publisher.connect,
        }
        await lifecycle.run_until_stopped(loops, stop, settings.drain_seconds)
