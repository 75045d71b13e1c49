"""Bodies of more than a mebibyte, read only while there is room: memory must not grow with their number (B5)."""

import asyncio
import contextlib
import ctypes
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect

from shared.contract.outcomes import Reason
from shared.contract.requests import MAX_BODY_BYTES
from shared.errors import OverloadedError
from shared.runtime.problems import ProblemError

_WAIT_SECONDS = 60.0
_BODY_SECONDS = 60.0
"""Longest reading of one body: a caller that only pretends to send must not hold its room for ever."""

ROOM_BYTES = 48 * 1_048_576
"""What large bodies may hold at once, or a larger one alone. Parsed, encoded and on its way to PostgreSQL each is there
four times."""


class Room:
    """So many bytes, given out in the order of asking: a large wish is not passed over for ever by small ones."""

    def __init__(self, size_bytes: int) -> None:
        self._free = size_bytes
        self._size = size_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, wish_bytes: int) -> AsyncIterator[None]:
        """Hold so many bytes, or all there are where that is less; raises OverloadedError after a minute's wait."""
        need = min(wish_bytes, self._size)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._take(need)
        except TimeoutError as error:
            raise OverloadedError("too many large bodies are under way here", Reason.RATE_LIMITED, 5.0) from error
        try:
            yield
        finally:
            self._give_back(need)

    async def _take(self, need: int) -> None:
        if not self._waiting and self._free >= need:
            self._free -= need
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((need, given))
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self._give_back(need)
            raise

    def _give_back(self, need: int) -> None:
        self._free += need
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            wish, given = self._waiting.popleft()
            if not given.done():
                self._free -= wish
                given.set_result(None)


class LargeBodies:
    """Reads bodies of any size up to a limit."""

    def __init__(self, room: Room) -> None:
        self._room = room
        _have_large_blocks_returned()

    @asynccontextmanager
    async def body_of(self, request: Request, most_bytes: int) -> AsyncIterator[bytearray]:
        """The whole body; its room is held as long as the context is open.

        Raises:
            ProblemError: 413 too large, 408 too slow, 400 cut off.
            OverloadedError: no room within a minute.
        """
        declared = request.headers.get("content-length", "")
        size = int(declared) if declared.isdecimal() else None
        _refuse_over(most_bytes, size or 0)
        async with AsyncExitStack() as room:
            if size is not None and size > MAX_BODY_BYTES:
                await room.enter_async_context(self._room.taken(size))
            yield await self._read(request, most_bytes, room, declared=size is not None)

    async def _read(self, request: Request, most_bytes: int, room: AsyncExitStack, *, declared: bool) -> bytearray:
        body = bytearray()
        try:
            async for part in _in_time(request):
                body += part
                _refuse_over(most_bytes, len(body))
                if not declared and len(body) > MAX_BODY_BYTES:
                    declared = True  # nobody said how long it is: it may have as much as any
                    await room.enter_async_context(self._room.taken(most_bytes))
        except ClientDisconnect as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the connection ended within the body") from error
        return body


async def _in_time(request: Request) -> AsyncIterator[bytes]:
    parts = request.stream()
    loop = asyncio.get_running_loop()
    left_seconds = _BODY_SECONDS
    while True:
        begun = loop.time()
        try:
            part = await asyncio.wait_for(anext(parts), max(left_seconds, 0.001))
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            detail = f"the body was not there within {_BODY_SECONDS:.0f} s; send it faster or less at once"
            raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail) from error
        left_seconds -= loop.time() - begun
        yield part


def _refuse_over(most_bytes: int, size_bytes: int) -> None:
    if size_bytes > most_bytes:
        detail = f"the body has more than {most_bytes:,} bytes; send less at once"
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def _have_large_blocks_returned() -> None:
    """Have glibc map each large block by itself.

    Else it learns from the first that are freed to keep those that follow, and a hundred megabytes stay for ever. Told
    so, it learns no more when to give back the end of the heap either: each read of a socket would, and take it again.
    """
    with contextlib.suppress(AttributeError):  # another C library, which has no such habit
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, MAX_BODY_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * MAX_BODY_BYTES)
