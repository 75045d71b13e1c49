"""POST requests over kept connections: what the webhook sink needs of HTTP, for a fifth of a general client's work.

It follows nothing, keeps no cookies, asks no proxy, wants no certain answer and unpacks nothing. How many requests go
to a host at a time is not bounded here but by whoever sends.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohappyeyeballs
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from services.dispatcher.sinks.connection import Answer, Connection
from shared.destinations import Destination

_log = structlog.get_logger()

_IDLE_SECONDS = 15.0
"""A connection left alone for longer is not used again: the other side may be about to close it."""

_SECOND_ADDRESS_SECONDS = 0.25
"""When the next of a host's addresses is tried beside one that does not answer (RFC 8305 5)."""

_CLOSE_SECONDS = 1.0


class ConnectError(Exception):
    """No connection came about, so nothing was sent."""


class ConnectTimeoutError(ConnectError):
    """No connection came about in time."""


class Posting:
    """Connections by destination, made to the addresses that `resolver` finds and to no others."""

    def __init__(self, resolver: AbstractResolver, timeout_seconds: float, connect_seconds: float) -> None:
        self._resolver = resolver
        self._timeout_seconds = timeout_seconds
        self._connect_seconds = connect_seconds
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._idle: dict[Destination, deque[tuple[Connection, float]]] = {}
        self._standing: set[Connection] = set()
        self._all_closed = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None

    async def ask(self, destination: Destination, request: bytes) -> Answer:
        """Send a whole request once and wait for its answer.

        Raises:
            ForbiddenDestinationError: the host's name means an address that is not allowed.
            ConnectError: nothing was sent.
            TimeoutError, ServerDisconnectedError, MalformedAnswerError: nobody knows whether it arrived.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        connection = self._kept(destination, begun) or await self._connected(destination)
        try:
            answer = await connection.ask(request, self._timeout_seconds - (loop.time() - begun))
        except BaseException:
            connection.close()
            raise
        if connection.usable:
            self._keep(destination, connection, loop)
        return answer

    async def close(self) -> None:
        """End every connection, and the resolver."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._idle.clear()
        for connection in list(self._standing):
            connection.close()
        try:
            if self._standing:
                await asyncio.wait_for(self._all_closed.wait(), _CLOSE_SECONDS)
        except TimeoutError:
            _log.warning("close_timed_out", what="webhook connections", seconds=_CLOSE_SECONDS)
        finally:
            await self._resolver.close()

    def _kept(self, destination: Destination, now: float) -> Connection | None:
        """The connection that was used last, since it is the least likely to be closed meanwhile."""
        idle = self._idle.get(destination)
        while idle:
            connection, since = idle.pop()
            if connection.usable and now - since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _keep(self, destination: Destination, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._idle.setdefault(destination, deque()).append((connection, loop.time()))
        if self._sweeper is None:
            self._sweeper = loop.call_later(_IDLE_SECONDS, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what has been idle for long."""
        latest = loop.time() - _IDLE_SECONDS
        for idle in self._idle.values():
            while idle and idle[0][1] <= latest:
                idle.popleft()[0].close()
        self._idle = {destination: idle for destination, idle in self._idle.items() if idle}
        self._sweeper = loop.call_later(_IDLE_SECONDS, self._sweep, loop) if self._idle else None

    async def _connected(self, destination: Destination) -> Connection:
        try:
            async with asyncio.timeout(self._connect_seconds):
                found = await self._resolver.resolve(destination.host, destination.port)
                return await self._opened(destination, found)
        except TimeoutError as error:
            raise ConnectTimeoutError from error
        except OSError as error:
            raise ConnectError from error

    async def _opened(self, destination: Destination, found: Sequence[ResolveResult]) -> Connection:
        addresses = [_address(each, destination.port) for each in found]
        connected = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_SECOND_ADDRESS_SECONDS, interleave=1
        )
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = destination.scheme == "https"
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._ended),
            sock=connected,
            ssl=self._tls if secure else None,
            server_hostname=destination.host if secure else None,
        )
        if not connection.usable:
            raise ConnectionAbortedError
        self._standing.add(connection)
        self._all_closed.clear()
        return connection

    def _ended(self, connection: Connection) -> None:
        self._standing.discard(connection)
        if not self._standing:
            self._all_closed.set()


def _address(found: ResolveResult, port: int) -> aiohappyeyeballs.AddrInfoType:
    """An address as `socket` names it."""
    six = ":" in found["host"]
    where = (found["host"], port, 0, 0) if six else (found["host"], port)
    family = socket.AF_INET6 if six else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)


@asynccontextmanager
async def opened(resolver: AbstractResolver, timeout_seconds: float, connect_seconds: float) -> AsyncIterator[Posting]:
    """Ready to send; every connection is closed at the end, and the resolver too."""
    posting = Posting(resolver, timeout_seconds, connect_seconds)
    try:
        yield posting
    finally:
        await posting.close()
