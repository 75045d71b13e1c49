"""The inbox put together: its pool and its API."""

from contextlib import AsyncExitStack, closing

import structlog
from prometheus_client import CollectorRegistry

from services.inbox import api
from services.inbox.actions import Actions
from services.inbox.metrics import Metrics
from services.inbox.relay import Relay
from services.inbox.settings import Settings
from services.inbox.tokens import Tokens
from shared.clock import SystemClock
from shared.postgres import migrate
from shared.postgres.api_keys import ApiKeys
from shared.postgres.pool import Pool, open_pool, reachable
from shared.runtime import health, lifecycle, startup, web
from shared.runtime.secret_file import SecretFile

_log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Serve the inbox until it is told to stop."""
    registry = CollectorRegistry()
    checks = health.Health(ready={"start": startup.still_starting})
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(lifecycle.stop_on_signals())
        listening = stack.enter_context(closing(web.bound_socket(settings)))
        await stack.enter_async_context(health.serve(checks, registry, settings.ops_host, settings.ops_port))
        pool = await startup.until_it_answers(
            lambda: stack.enter_async_context(open_pool(settings, "tocsin-inbox")), stop, "PostgreSQL"
        )
        await startup.until_it_answers(lambda: migrate.require_schema(pool), stop, "PostgreSQL")
        metrics = Metrics(registry)
        relay = Relay(pool, settings, metrics)
        built = api.build(_parts(settings, pool, Actions(pool, relay, metrics), listening.getsockname()[1]))
        checks.ready["postgres"] = lambda: reachable(pool)
        del checks.ready["start"]
        _log.info("started", port=listening.getsockname()[1])
        await lifecycle.run_until_stopped(
            {"http": lambda stopping: web.serve(built, listening, stopping), "relay": relay.run},
            stop,
            settings.drain_seconds,
        )


def _parts(settings: Settings, pool: Pool, actions: Actions, port: int) -> api.Parts:
    keys = ApiKeys(pool, SecretFile(settings.api_key_secret_file))
    tokens = Tokens(SecretFile(settings.inbox_token_secret_file), SystemClock())
    public_url = settings.inbox_public_url.rstrip("/") or f"http://{settings.http_host}:{port}"
    limits = api.Limits(settings.inbox_token_longest_seconds, public_url)
    return api.Parts(pool, keys.opened_by, tokens, actions, limits)
