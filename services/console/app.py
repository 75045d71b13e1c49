"""The console put together: its pool and its API."""

from contextlib import closing
from functools import partial

from services.console import api
from services.console.following import Following
from services.console.metrics import Metrics
from services.console.settings import Settings
from shared import destinations
from shared.postgres.opening import checked_pool
from shared.runtime import lifecycle, startup, web
from shared.runtime.refused_credentials import Counted, Doors
from shared.runtime.secret_file import SecretFile


async def run(settings: Settings) -> None:
    """Serve the console until it is told to stop."""
    async with startup.starting(settings) as start:
        listening = start.stack.enter_context(closing(web.bound_socket(settings)))
        pool = await checked_pool(start, settings, "tocsin-console")
        secret = SecretFile(settings.api_key_secret_file)
        policy = destinations.policy(settings.allowed_private_hosts)
        metrics = Metrics(start.registry)
        following = Following(pool, metrics, settings.poison_limit_per_minute)
        built = Counted(api.build(api.Parts(pool, secret, policy, metrics)), Doors("console"), start.registry)
        loops: dict[str, lifecycle.Loop] = {
            "http": partial(web.serve, built, listening),
            "directory changes": partial(following.run, settings, start.health),
        }
        await start.run(loops, port=listening.getsockname()[1])
