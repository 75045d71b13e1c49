"""A webhook receiver that does what the last part of the path says, and remembers what reached it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

_HEADERS = {
    "301": {"Location": "http://169.254.169.254/latest/meta-data/"},
    "429": {"Retry-After": "7"},
    "503": {"Retry-After": "9"},
}
SLOW_SECONDS = 0.2


@dataclass
class Receiver:
    """What arrived, by the name in the path: headers and body of each request. `let_go` ends what hangs."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def arrived(self, name: str) -> list[tuple[dict[str, str], bytes]]:
        """Headers and bodies that reached a name."""
        return [(headers, body) for path, headers, body in self.requests if path == name]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Remember the request, then do what its path asks for."""
        behaviour = request.match_info["behaviour"]
        self.requests.append((request.match_info["name"], dict(request.headers), await request.read()))
        self.connections.add(request.transport)
        if behaviour == "hang":
            await self.let_go.wait()
        if behaviour == "reset" and request.transport is not None:
            request.transport.abort()
        if behaviour == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if behaviour == "endless":
            return await self._endless(request)
        status = int(behaviour) if behaviour.isdigit() else 200
        return web.Response(status=status, headers=_HEADERS.get(behaviour), text="said at length " * 20)

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while not self.let_go.is_set():
                await response.write(b"x" * 4096)
        return response


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Receiver]:
    """A receiver at `url`/{name}/{behaviour}: an HTTP status, or hang, reset, slow, endless."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{name}/{behaviour}", receiver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        await runner.cleanup()
