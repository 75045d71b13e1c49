"""Bodies of ten million characters: kept once under their hash, read only while there is room, swept in time (B5)."""

import asyncio
import hashlib
import io
import json
import pathlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from shared.access import Scope
from tests.support import consoles, door, sam
from tests.support.api import key as console_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGEST = 10_000_000
MOST_BYTES = 400 * 1_048_576
AT_ONCE = 50


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ingest(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[door.Ingest]:
    async with door.alone(kafka_bootstrap, postgres_server, tmp_path_factory.mktemp("bodies")) as running:
        yield running


async def upload(ingest: door.Ingest, content: bytes, **headers: str) -> tuple[int, Any]:
    given = {"Authorization": f"Bearer {ingest.key}", "Content-Type": "text/html", **headers}
    async with ingest.http.post(
        ingest.running.http + "/v1/bodies", data=io.BytesIO(content), headers=given
    ) as response:
        return response.status, await response.json(content_type=None)


async def test_a_text_is_kept_once_under_its_hash_and_longer_with_each_use(ingest: door.Ingest) -> None:
    text = "<p>Grüße</p>".encode()
    status, first = await upload(ingest, text)
    assert status == 201
    assert (first["id"], first["characters"]) == (hashlib.sha256(text).hexdigest(), 12)
    _, second = await upload(ingest, text)
    assert second["id"] == first["id"]
    until = datetime.fromisoformat(second["keep_until"])
    assert until >= datetime.fromisoformat(first["keep_until"])
    assert timedelta(days=13) < until - datetime.now(UTC) < timedelta(days=15)
    kept = await ingest.owner.fetch("SELECT content FROM bodies WHERE hash = $1", bytes.fromhex(first["id"]))
    assert [row["content"] for row in kept] == [text]


async def test_ten_million_characters_are_taken_and_not_one_more(ingest: door.Ingest) -> None:
    status, kept = await upload(ingest, ("é" * LONGEST).encode())
    assert (status, kept["characters"]) == (201, LONGEST)
    assert (await upload(ingest, ("é" * (LONGEST + 1)).encode()))[0] == 413
    assert (await upload(ingest, b"x" * (4 * LONGEST + 1)))[0] == 413


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 422, id="nothing"),
        pytest.param(b"a\x00b", 422, id="NUL"),
        pytest.param(b"\xff", 422, id="not UTF-8"),
    ],
)
async def test_what_is_no_text_is_refused(ingest: door.Ingest, content: bytes, status: int) -> None:
    assert (await upload(ingest, content))[0] == status


async def test_without_the_scope_nothing_is_kept(ingest: door.Ingest) -> None:
    trace = await ingest.new_key([Scope.TRACE])
    assert (await upload(ingest, b"x", Authorization=f"Bearer {trace}"))[0] == 403
    assert (await upload(ingest, b"x", Authorization="Bearer tk_none"))[0] == 401


async def test_who_may_publish_one_class_may_upload_the_body_that_a_mail_of_it_names(ingest: door.Ingest) -> None:
    alarms = await ingest.new_key(["publish:alarms"])
    assert (await upload(ingest, b"x", Authorization=f"Bearer {alarms}"))[0] == 201


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def test_fifty_at_once_however_framed_are_all_kept_in_little_memory(ingest: door.Ingest) -> None:
    counted = peak_from_here(ingest)

    async def one(number: int) -> int:
        content = (f"{number % 5}" * LONGEST).encode()
        given = {"Authorization": f"Bearer {ingest.key}"}
        framed: Any = io.BytesIO(content) if number % 2 else pieces(content, 262_144)
        async with http.post(ingest.running.http + "/v1/bodies", data=framed, headers=given) as response:
            return response.status

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        statuses = await asyncio.gather(*[one(number) for number in range(AT_ONCE)])
    assert statuses == [201] * AT_ONCE
    assert counted() < MOST_BYTES


BODY = {
    "version": 4, "type": "UN", "key": "3", "values": ["aaron"], "message": "See your mail",
    "emailTemplate": "Client.Generic.HTMLBody.Mandrill.html", "emailSubject": "All of it",
    "emailParams": [{"key": "emailBody", "value": ""}],
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(ingest: door.Ingest) -> sam.Caller:
    await sam.seed(ingest.owner)
    return await sam.caller(ingest, "root", "SUPER_USER")


async def taken(caller: sam.Caller, content: Any) -> sam.Answer:
    while True:
        answer = await caller.send(content)
        if answer.status != 503:  # it has waited for a minute on a busy machine, and says when to come again
            return answer


async def test_fifty_requests_of_send_notification_with_a_body_each_are_all_taken_in_little_memory(
    caller: sam.Caller,
) -> None:
    counted = peak_from_here(caller.ingest)
    bodies = [{**BODY, "emailBody": f"{number % 5}" * LONGEST} for number in range(AT_ONCE)]
    answers = await asyncio.gather(*[taken(caller, body) for body in bodies])
    assert {answer.status for answer in answers} == {200}, answers
    assert len({answer.json["notificationScheduleId"] for answer in answers}) == AT_ONCE
    assert counted() < MOST_BYTES


async def test_characters_that_take_twelve_bytes_each_are_taken_in_little_memory_too(caller: sam.Caller) -> None:
    counted = peak_from_here(caller.ingest)
    text = "\U0001f600" * LONGEST
    raw = json.dumps({**BODY, "emailBody": text}).encode()
    assert len(raw) > 12 * LONGEST
    answers = await asyncio.gather(*[taken(caller, raw) for _ in range(3)])
    assert {answer.status for answer in answers} == {200}, answers
    kept = "SELECT octet_length(content) FROM bodies WHERE hash = $1"
    assert await caller.ingest.owner.fetchval(kept, hashlib.sha256(text.encode()).digest()) == 4 * LONGEST
    assert counted() < MOST_BYTES


def peak_from_here(ingest: door.Ingest) -> Callable[[], int]:
    """What asks for the most bytes of memory that ingest has held since now."""
    process = pathlib.Path(f"/proc/{ingest.running.process.pid}")
    (process / "clear_refs").write_text("5")

    def peak() -> int:
        line = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    return peak


async def test_the_console_takes_them_too(postgres_server: str, tmp_path: pathlib.Path) -> None:
    async with consoles.running(postgres_server, tmp_path) as site:
        publisher = await console_key(site.owner, "acme", ["publish:alarms"])
        made = await site.client.ask("POST", "/v1/bodies", publisher, data=io.BytesIO(b"<p>" + b"x" * 2_000_000))
        assert (made.status, made.json["characters"]) == (201, 2_000_003)
        huge = io.BytesIO(b"x" * (4 * LONGEST + 1))
        assert (await site.client.ask("POST", "/v1/bodies", publisher, data=huge)).status == 413
