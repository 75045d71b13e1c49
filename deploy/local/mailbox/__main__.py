"""`python -m deploy.local.mailbox --http-port N --smtp-port N`: runs until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal

import uvloop
from aiohttp import web

from deploy.local.mailbox import smtp
from deploy.local.mailbox.api import Api
from deploy.local.mailbox.hooks import Hook
from deploy.local.mailbox.mails import Mail
from deploy.local.mailbox.pages import Pages
from deploy.local.mailbox.shelf import Shelf
from deploy.local.ports import LOOPBACK

LARGEST_HOOK_BYTES = 12_000_000


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def application(mails: Shelf[Mail], hooks: Shelf[Hook]) -> web.Application:
    """The HTTP side over both shelves."""
    app = web.Application(client_max_size=LARGEST_HOOK_BYTES)
    app.add_routes(Api(mails, hooks).routes())
    app.add_routes(Pages(mails, hooks).routes())
    app.add_routes([web.get("/livez", _healthy), web.get("/readyz", _healthy)])
    return app


async def serve(http_port: int, smtp_port: int, capacity_mb: int) -> None:
    """Catch mail and webhooks until a signal; each kind may fill `capacity_mb`."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    mails: Shelf[Mail] = Shelf(capacity_mb * 1_000_000)
    hooks: Shelf[Hook] = Shelf(capacity_mb * 1_000_000)
    runner = web.AppRunner(application(mails, hooks), access_log=None)
    await runner.setup()
    try:
        async with await smtp.serve(mails, smtp_port):
            await web.TCPSite(runner, LOOPBACK, http_port, shutdown_timeout=1.0, backlog=512).start()
            await stop.wait()
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
