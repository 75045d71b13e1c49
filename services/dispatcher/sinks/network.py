"""How a sink reaches hosts that users named: every resolved address is checked, and the checked one is connected to."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.destinations import ForbiddenDestinationError, Policy

_LOOKUPS = 32
"""Lookups at a time: a name server that hangs holds one, and must not hold the names of others."""

_KEPT_SECONDS = 10


class SystemResolver(AbstractResolver):
    """Asks the system's resolver, in threads of its own."""

    def __init__(self) -> None:
        self._lookups = ThreadPoolExecutor(_LOOKUPS, "resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name; raises OSError when it is not known or nobody can say."""
        asking = partial(
            socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._lookups, asking)
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=numeric)
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Forget lookups under way; their threads end when the name servers answer."""
        self._lookups.shutdown(wait=False, cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """Refuses a name any of whose addresses may not be reached."""

    def __init__(self, policy: Policy, resolver: AbstractResolver) -> None:
        self._policy = policy
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            OSError: the name is not known, or nobody can say.
            ForbiddenDestinationError: one of its addresses is not allowed; then none of the others is trusted either.
        """
        found = await self._resolver.resolve(host, port, family)
        if not all(self._policy.permits(host, result["host"]) for result in found):
            raise ForbiddenDestinationError("the host's name means an address that is not a public one")
        return found

    async def close(self) -> None:
        """Close the resolver that is asked."""
        await self._resolver.close()


def session(resolver: AbstractResolver, timeout_seconds: float, connect_seconds: float) -> aiohttp.ClientSession:
    """A session that follows nothing, keeps no cookies, asks no proxy, wants no certain answer and unpacks nothing.

    The number of requests to a host is not limited here but by whoever sends.
    """
    connector = aiohttp.TCPConnector(resolver=resolver, limit=0, ttl_dns_cache=_KEPT_SECONDS)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=connect_seconds),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding"),
        trust_env=False,
    )
