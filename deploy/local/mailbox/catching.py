"""The quick way in for webhooks: a request that is plain and whole is caught where it arrives, all else by aiohttp.

A sink under load sends thousands of them a second, and the catcher shares the machine with what it measures.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

_HEAD = re.compile(rb"POST /hooks/([\w.-]{1,200}) HTTP/1\.1\r\n((?:[\w-]+: [^\r\n]*\r\n)+)\r\n")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: ([0-9]{1,9})\r\n")
_SPECIAL = re.compile(rb"(?i)\r\n(?:connection|expect|transfer-encoding|upgrade): ")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 6\r\n\r\ncaught"

Catch = Callable[[str, tuple[tuple[bytes, bytes], ...], bytes], bool]
"""Stores a name, raw headers and a body; False where nothing is caught under that name."""


@dataclass(frozen=True, slots=True)
class Request:
    """A webhook as it came."""

    name: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def plain(data: bytes) -> Request | None:
    """The request that `data` is, if it is one whole webhook and asks for nothing special."""
    head = _HEAD.match(data)
    if head is None or _SPECIAL.search(data, 0, head.end()):
        return None
    length = _LENGTH.search(data, 0, head.end())
    if length is None or head.end() + int(length[1]) != len(data):
        return None
    lines = head[2].split(b"\r\n")[:-1]
    headers = tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))
    return Request(head[1].decode(), headers, data[head.end() :])


class Door(asyncio.Protocol):
    """One connection; from the first piece that is no plain webhook on, it is `general`'s."""

    def __init__(self, catch: Catch, general: Callable[[], asyncio.Protocol]) -> None:
        self._catch = catch
        self._general = general
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Catch it, or leave the connection to who understands more."""
        request = plain(data)
        if request is not None and self._catch(request.name, request.headers, request.body):
            self._transport.write(_ANSWER)
            return
        protocol = self._general()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(data)
