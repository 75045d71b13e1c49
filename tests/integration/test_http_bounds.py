"""What comes before a body has its bounds, and one connection that keeps to none holds up nobody else."""

import asyncio
import contextlib
import json
from collections.abc import Iterable

import pytest
from fastapi import FastAPI

from shared.runtime.bounded_http import MOST_HEAD_BYTES
from tests.support import api
from tests.support.api import Client


def application() -> FastAPI:
    app = FastAPI()
    app.add_api_route("/", lambda: {"status": "here"}, methods=["GET", "POST"])
    return app


async def told(client: Client, parts: Iterable[bytes]) -> tuple[int, dict[str, object] | None]:
    """The status and JSON that a connection is answered to what it sends, until the service closes it."""
    host, port = client.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with contextlib.suppress(ConnectionError):  # refused before all of it was sent: the answer is there to be read
        for part in parts:
            writer.write(part)
            await writer.drain()
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(": ")[1]) for line in lines if line.startswith("content-length"))
    body = json.loads(await reader.readexactly(length))
    writer.close()
    return int(lines[0].split()[1]), body


FIRST = b"GET / HTTP/1.1\r\nHost: here\r\n"
ROOM = MOST_HEAD_BYTES - len("/") - len("host") - len("here") - 4


def header(size: int) -> bytes:
    """A header that counts so many bytes."""
    return b"x: " + b"a" * (size - 5) + b"\r\n"


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        pytest.param([FIRST, header(ROOM), b"\r\n"], 200, id="as large as allowed"),
        pytest.param([FIRST, header(ROOM + 1), b"\r\n"], 431, id="one byte more"),
        pytest.param([FIRST + header(ROOM + 1) + b"\r\n"], 431, id="one byte more at once"),
        pytest.param([FIRST, b"x: ", *[b"a" * 10_000] * 500], 431, id="a header without end"),
        pytest.param([FIRST, *[b"x: a\r\n" * 1_000] * 100], 431, id="headers without end"),
        pytest.param([b"GET /", *[b"a" * 10_000] * 500], 431, id="an address without end"),
        pytest.param([b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: ",
                      *[b"a" * 10_000] * 500], 431, id="trailers without end"),
        pytest.param([b"nonsense\r\n\r\n"], 400, id="no HTTP"),
    ],
)  # fmt: skip
async def test_a_head_that_is_too_large_is_refused_and_others_are_served(parts: list[bytes], status: int) -> None:
    async with api.serving(application()) as client:
        found, body = await told(client, parts)
        assert found == status
        assert body is not None
        assert body.get("status") == ("here" if status == 200 else status)
        assert (await client.ask("GET", "/")).status == 200


@pytest.mark.parametrize("begun", [pytest.param(FIRST, id="its end does not come"), pytest.param(b"G", id="a byte")])
async def test_a_head_that_does_not_come_in_time_is_refused(begun: bytes) -> None:
    async with api.serving(application(), head_seconds=0.2) as client:
        assert (await told(client, [begun]))[0] == 408


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with api.serving(application(), head_seconds=0.2) as client:
        host, port = client.base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_a_connection_is_kept_for_requests_one_after_another_and_all_at_once() -> None:
    request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
    async with api.serving(application(), head_seconds=0.2) as client:
        host, port = client.base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for count in (1, 1, 3):
            writer.write(request * count)
            for _ in range(count):
                async with asyncio.timeout(10):
                    assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.close()
