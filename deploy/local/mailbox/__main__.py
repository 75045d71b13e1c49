"""`python -m deploy.local.mailbox --http-port N --smtp-port N`: runs until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
from collections.abc import Callable
from typing import cast

import uvloop
from aiohttp import web

from deploy.local.mailbox import smtp
from deploy.local.mailbox.api import Api
from deploy.local.mailbox.catching import Door
from deploy.local.mailbox.hooks import Hook
from deploy.local.mailbox.mails import Mail
from deploy.local.mailbox.pages import Pages
from deploy.local.mailbox.shelf import Shelf
from deploy.local.ports import LOOPBACK

LARGEST_HOOK_BYTES = 12_000_000


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def application(api: Api, pages: Pages) -> web.Application:
    """The HTTP side: what programs ask, and what people read."""
    app = web.Application(client_max_size=LARGEST_HOOK_BYTES)
    app.add_routes(api.routes())
    app.add_routes(pages.routes())
    app.add_routes([web.get("/livez", _healthy), web.get("/readyz", _healthy)])
    return app


async def _http(door: Callable[[], asyncio.Protocol], port: int) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(door, LOOPBACK, port, backlog=512)


async def serve(http_port: int, smtp_port: int, capacity_mb: int) -> None:
    """Catch mail and webhooks until a signal; each kind may fill `capacity_mb`."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    mails: Shelf[Mail] = Shelf(capacity_mb * 1_000_000)
    hooks: Shelf[Hook] = Shelf(capacity_mb * 1_000_000)
    api = Api(mails, hooks)
    runner = web.AppRunner(application(api, Pages(mails, hooks)), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    general = cast("Callable[[], asyncio.Protocol]", runner.server)
    try:
        async with await smtp.serve(mails, smtp_port):
            door = await _http(lambda: Door(api.caught, general), http_port)
            await stop.wait()
            door.close()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.mailbox", description="Catches mail and webhooks.")
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--capacity-mb", type=int, default=256, help="memory for mail, and as much for webhooks")
    chosen = parser.parse_args()
    uvloop.run(serve(chosen.http_port, chosen.smtp_port, chosen.capacity_mb))


if __name__ == "__main__":
    main()
