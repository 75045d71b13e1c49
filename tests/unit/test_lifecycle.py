"""How the parts of a service are left at its end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from shared.runtime import health, startup
from shared.runtime.settings import BaseServiceSettings
from shared.runtime.startup import Start


@contextlib.asynccontextmanager
async def meeting(met: asyncio.Barrier) -> AsyncIterator[None]:
    """Can be left only together with the others that meet there."""
    try:
        yield
    finally:
        await met.wait()


@contextlib.asynccontextmanager
async def failing() -> AsyncIterator[None]:
    yield
    raise OSError("it broke")


@contextlib.asynccontextmanager
async def noted(left: list[str]) -> AsyncIterator[None]:
    yield
    left.append("other")


def started(stack: contextlib.AsyncExitStack) -> Start:
    return startup.Start(BaseServiceSettings(), asyncio.Event(), stack, health.Health(), CollectorRegistry())


async def test_clients_are_left_side_by_side() -> None:
    met = asyncio.Barrier(3)
    async with asyncio.timeout(5), contextlib.AsyncExitStack() as stack:
        start = started(stack)
        for name in ("producer", "consumer", "lag reader"):
            await start.client(lambda: meeting(met), name)
    assert not met.broken


async def test_a_client_that_cannot_be_left_keeps_no_other_from_it_and_is_told() -> None:
    left: list[str] = []
    stack = contextlib.AsyncExitStack()
    start = started(stack)
    await start.client(failing, "broken")
    await start.client(lambda: noted(left), "other")
    with pytest.raises(ExceptionGroup) as raised:
        await stack.aclose()
    assert [str(error) for error in raised.value.exceptions] == ["it broke"]
    assert left == ["other"]
