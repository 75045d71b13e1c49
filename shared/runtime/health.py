"""Whether a service is alive and can work: /livez, /readyz and /metrics on a port of their own.

Liveness says that the loop turns and work progresses, never whether another system is reachable; a restart would
not mend that. Readiness says whether the service can do its job now.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[str | None]]
"""None when well, else a sentence saying what is not."""


@dataclass(slots=True)
class Health:
    """The checks of one process, by name; services add theirs while they are put together."""

    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)

    async def problems(self, checks: dict[str, Check]) -> dict[str, str]:
        """What each failing check says; empty when all is well."""
        found = {name: await check() for name, check in tuple(checks.items())}
        return {name: problem for name, problem in found.items() if problem is not None}


@asynccontextmanager
async def serve(health: Health, registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[int]:
    """Serve the three pages while the context is open; gives the port, which was chosen when 0 was asked for."""
    app = web.Application()
    app.router.add_get("/livez", _page(health, health.live))
    app.router.add_get("/readyz", _page(health, health.ready))
    app.router.add_get("/metrics", _metrics(registry))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _page(health: Health, checks: dict[str, Check]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        try:
            problems = await asyncio.wait_for(health.problems(checks), 2.0)
        except TimeoutError:
            problems = {"checks": "did not answer within 2 s"}
        return web.json_response({"ok": not problems, "problems": problems}, status=503 if problems else 200)

    return answer


def _metrics(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    # Apart from the service's own: CPU, memory and open files of this process, which nobody needs to declare.
    process = CollectorRegistry()
    ProcessCollector(registry=process)

    async def answer(_request: web.Request) -> web.Response:
        pages = generate_latest(registry) + generate_latest(process)
        return web.Response(body=pages, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return answer
