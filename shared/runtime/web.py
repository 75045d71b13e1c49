"""Serving an application as one loop of a service."""

import asyncio
import functools
import socket
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from shared.runtime import bounded_http
from shared.runtime.bounded_http import BoundedHttp
from shared.runtime.settings import HttpSettings


def bound_socket(settings: HttpSettings) -> socket.socket:
    """A listening socket, bound before anything else starts, so that its port is known and refused early."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    listening = socket.create_server(
        (settings.http_host, settings.http_port), family=family, backlog=2048, reuse_port=False
    )
    listening.setblocking(False)
    return listening


async def serve(
    app: ASGIApp,
    listening: socket.socket,
    stop: asyncio.Event,
    graceful_seconds: float = 10.0,
    head_seconds: float = bounded_http.HEAD_SECONDS,
) -> None:
    """Serve until `stop`, then let open requests end within `graceful_seconds` (open streams are cut then).

    A request whose headers are not there within `head_seconds` is refused.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        loop="none",
        http=cast("type[asyncio.Protocol]", functools.partial(BoundedHttp, head_seconds=head_seconds)),
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(graceful_seconds),
        timeout_keep_alive=75,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[listening]), name="uvicorn")
        stopping = group.create_task(stop.wait(), name="uvicorn-stop")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stopping.cancel()


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the service's lifecycle owns the signals."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)
