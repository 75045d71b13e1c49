"""A TCP proxy that can be cut: what stands behind it is away, without being touched itself."""

import asyncio
import contextlib
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Forwards connections to one PostgreSQL while it is not `cut`; `socket` is its folder or None.

    While it `swallows`, connections stay open and nothing passes, as behind a firewall that drops packets.
    """

    host: str
    server_port: int
    socket: str | None
    port: int = 0
    is_cut: bool = False
    swallows: bool = False
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self.is_cut = True
        for writer in self.writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False

    def dsn(self, dsn: str) -> str:
        """A DSN that leads through the proxy."""
        parts = urllib.parse.urlsplit(dsn)
        login = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{login}@127.0.0.1:{self.port}", query="").geturl()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both directions, until either side ends."""
        if self.is_cut:
            writer.transport.abort()
            return
        there, back = await self._connected()
        self.writers |= {writer, back}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._copied(reader, back))
            group.create_task(self._copied(there, writer))
        self.writers -= {writer, back}

    async def _copied(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65_536):
                if not self.swallows:
                    writer.write(piece)
                    await writer.drain()
        writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.socket is None:
            return await asyncio.open_connection(self.host, self.server_port)
        return await asyncio.open_unix_connection(f"{self.socket}/.s.PGSQL.{self.server_port}")


@contextlib.asynccontextmanager
async def before(dsn: str) -> AsyncIterator[Proxy]:
    """A proxy before the server of a DSN."""
    address = urllib.parse.urlsplit(dsn)
    (folder,) = urllib.parse.parse_qs(address.query).get("host", [None])
    proxy = Proxy(address.hostname or "127.0.0.1", address.port or 5432, folder)
    server = await asyncio.start_server(proxy.forward, "127.0.0.1", 0)
    proxy.port = int(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        proxy.cut()
        server.close()
        await server.wait_closed()
