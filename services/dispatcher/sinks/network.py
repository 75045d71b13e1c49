"""How a sink reaches hosts that users named: every resolved address is checked, and the checked one is connected to."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

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


class KeptResolver(AbstractResolver):
    """Remembers the addresses of a name for a while, and asks once for all who want the same name meanwhile."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver
        self._asked: dict[tuple[str, int], asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name; raises what the resolver raises, to everyone who waited for it."""
        wanted = host, port
        asking = self._asked.get(wanted)
        if asking is None:
            asking = self._asked[wanted] = asyncio.create_task(self._resolver.resolve(host, port, family))
            asking.add_done_callback(lambda done: self._answered(wanted, done))
        return await asyncio.shield(asking)

    def _answered(self, wanted: tuple[str, int], done: asyncio.Task[list[ResolveResult]]) -> None:
        failed = done.cancelled() or done.exception() is not None
        asyncio.get_running_loop().call_later(0 if failed else _KEPT_SECONDS, self._asked.pop, wanted, None)

    async def close(self) -> None:
        """Forget lookups under way, and close the resolver that is asked."""
        asked = list(self._asked.values())
        for asking in asked:
            asking.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await self._resolver.close()
