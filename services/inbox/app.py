"""The inbox put together: its pool and its API."""

from contextlib import closing
from functools import partial

from services.inbox import api
from services.inbox.actions import Actions
from services.inbox.metrics import Metrics
from services.inbox.relay import Relay
from services.inbox.settings import Settings
from services.inbox.tokens import Tokens
from shared.clock import SystemClock
from shared.postgres.api_keys import ApiKeys
from shared.postgres.opening import checked_pool
from shared.postgres.pool import Pool
from shared.runtime import startup, web
from shared.runtime.refused_credentials import Counted
from shared.runtime.secret_file import SecretFile
from shared.unsubscribe import UnsubscribeLinks


async def run(settings: Settings) -> None:
    """Serve the inbox until it is told to stop."""
    async with startup.starting(settings) as start:
        listening = start.stack.enter_context(closing(web.bound_socket(settings)))
        port = listening.getsockname()[1]
        pool = await checked_pool(start, settings, "tocsin-inbox")
        metrics = Metrics(start.registry)
        relay = Relay(pool, settings, metrics)
        built = Counted(api.build(_parts(settings, pool, relay, metrics)), api.DOORS, start.registry)
        await start.run({"http": partial(web.serve, built, listening), "relay": relay.run}, port=port)


def _parts(settings: Settings, pool: Pool, relay: Relay, metrics: Metrics) -> api.Parts:
    keys = ApiKeys(pool, SecretFile(settings.api_key_secret_file))
    tokens = Tokens(SecretFile(settings.inbox_token_secret_file), SystemClock())
    public_url = settings.inbox_public_url.rstrip("/")
    links = UnsubscribeLinks(SecretFile(settings.unsubscribe_secret_file), public_url)
    return api.Parts(
        pool,
        keys.opened_by,
        tokens,
        Actions(pool, relay, metrics),
        links,
        metrics,
        api.Limits(settings.inbox_token_longest_seconds, public_url),
    )
