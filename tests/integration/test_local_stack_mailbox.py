"""The mailbox's interface, through its own process, real SMTP and real HTTP."""

import asyncio
import email.message
import os
import pathlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import aiosmtplib
import pytest
import pytest_asyncio

from deploy.local import child, ports
from tests.support import waiting


@dataclass(frozen=True)
class Mailbox:
    session: aiohttp.ClientSession
    http_port: int
    smtp_port: int

    async def send(self, to: str, subject: str, *, html: str | None = None) -> None:
        message = email.message.EmailMessage()
        message["From"], message["To"], message["Subject"] = "digest@tocsin.example", to, subject
        message["Message-ID"] = "<one@tocsin.example>"
        message.set_content("Bitte öffnen\n")
        if html is not None:
            message.add_alternative(html, subtype="html")
        await aiosmtplib.send(message, hostname=ports.LOOPBACK, port=self.smtp_port)

    async def json(self, path: str) -> Any:
        async with self.session.get(path) as response:
            assert response.status == 200
            return await response.json()

    async def text(self, path: str) -> str:
        async with self.session.get(path) as response:
            assert response.status == 200
            return await response.text()


async def _answers(session: aiohttp.ClientSession, running: child.Child) -> bool:
    assert running.returncode is None, f"the mailbox ended with {running.returncode}"
    try:
        async with session.get("/readyz") as response:
            return response.ok
    except aiohttp.ClientConnectionError:
        return False


@pytest_asyncio.fixture(params=[["--capacity-mb", "16"]], ids=["16 MB"])
async def mailbox(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> AsyncIterator[Mailbox]:
    http_port, smtp_port = ports.free_port(), ports.free_port()
    addresses = ["--http-port", str(http_port), "--smtp-port", str(smtp_port)]
    argv = [sys.executable, "-m", "deploy.local.mailbox", *addresses, *request.param]
    root = pathlib.Path(__file__).parents[2]
    with (tmp_path / "mailbox.log").open("wb") as log:
        running = child.Child(child.Command(argv=argv, environment=os.environ, folder=root), log)
    try:
        async with aiohttp.ClientSession(f"http://{ports.LOOPBACK}:{http_port}") as session:
            await waiting.until(lambda: _answers(session, running), 20, "the mailbox to answer")
            yield Mailbox(session, http_port, smtp_port)
    finally:
        assert await running.stop(signal.SIGTERM, 10) == 0


async def test_a_mail_is_listed_with_what_the_contract_names(mailbox: Mailbox) -> None:
    await mailbox.send("ada@example.com", "Grüße aus der Zentrale", html="<p>Hallo</p>")
    [mail] = await mailbox.json("/api/mails")
    assert mail["from"] == "digest@tocsin.example"
    assert mail["to"] == "ada@example.com"
    assert mail["subject"] == "Grüße aus der Zentrale"
    assert mail["message_id"] == "<one@tocsin.example>"
    assert mail["headers"]["Subject"] == "Grüße aus der Zentrale"
    assert mail["text"].strip() == "Bitte öffnen"
    assert mail["html"].strip() == "<p>Hallo</p>"
    assert mail["received_at"].endswith("+00:00")
    assert mail["id"]


async def test_mails_are_found_by_recipient_in_any_case_oldest_first(mailbox: Mailbox) -> None:
    await mailbox.send("ada@example.com", "first")
    await mailbox.send("grace@example.com", "other")
    await mailbox.send("ada@example.com", "second")
    found = await mailbox.json("/api/mails?to=ADA@example.com")
    assert [mail["subject"] for mail in found] == ["first", "second"]
    assert await mailbox.json("/api/mails/count") == {"count": 3, "received": 3, "dropped": 0}


MAIL = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<ada@example.com>\r\nDATA\r\n"
TAKEN = [b"250", b"250", b"354"]


async def _answers_to(mailbox: Mailbox, said: bytes, count: int) -> list[bytes]:
    """The codes of the first answers to what is said at once, after the greeting and one EHLO."""
    reader, writer = await asyncio.open_connection(ports.LOOPBACK, mailbox.smtp_port)
    writer.write(b"EHLO tests\r\n" + said)
    while not (await reader.readline()).startswith(b"250 "):
        continue
    codes = [(await reader.readline())[:3] for _ in range(count)]
    writer.close()
    return codes


async def test_what_is_sent_without_waiting_is_answered_in_its_order(mailbox: Mailbox) -> None:
    said = MAIL + b"Subject: one\r\n\r\n..\r\n..dots.\r\n.\r\n" + MAIL + b".\r\n" + b"NOOP\r\n"
    assert await _answers_to(mailbox, said, 8) == [*TAKEN, b"250", *TAKEN, b"250"]
    first, second = await mailbox.json("/api/mails")
    assert (first["subject"], first["text"]) == ("one", ".\r\n.dots.\r\n")
    assert (second["subject"], second["text"]) == ("", "")


async def test_a_line_that_is_too_long_is_refused_and_the_next_mail_taken(mailbox: Mailbox) -> None:
    longest = b"x" * 998
    said = MAIL + longest + b"xxx\r\n.\r\n" + MAIL + b"Subject: fits\r\n\r\n" + longest + b"\r\n.\r\n"
    assert await _answers_to(mailbox, said, 8) == [*TAKEN, b"500", *TAKEN, b"250"]
    assert [mail["subject"] for mail in await mailbox.json("/api/mails")] == ["fits"]


async def test_a_mail_that_is_too_large_is_refused_and_the_next_taken(mailbox: Mailbox) -> None:
    lines = (b"x" * 998 + b"\r\n") * 41_000
    said = MAIL + lines + b".\r\n" + MAIL + b"Subject: fits\r\n\r\n.\r\n"
    assert await _answers_to(mailbox, said, 8) == [*TAKEN, b"552", *TAKEN, b"250"]
    assert [mail["subject"] for mail in await mailbox.json("/api/mails")] == ["fits"]


async def test_a_content_without_a_recipient_is_not_asked_for(mailbox: Mailbox) -> None:
    assert await _answers_to(mailbox, b"MAIL FROM:<a@example.com>\r\nDATA\r\n", 2) == [b"250", b"503"]


async def test_deleting_forgets_every_mail(mailbox: Mailbox) -> None:
    await mailbox.send("ada@example.com", "first")
    async with mailbox.session.delete("/api/mails") as response:
        assert response.status == 204
    assert await mailbox.json("/api/mails") == []


async def test_a_webhook_is_kept_byte_for_byte_under_its_name(mailbox: Mailbox) -> None:
    body = b'{"type": "tocsin.delivery.v1",  "name": "Gr\xc3\xbc\xc3\x9fe"}'
    async with mailbox.session.post("/hooks/ada", data=body, headers={"webhook-id": "msg_1"}) as response:
        assert response.status == 200
    await mailbox.session.post("/hooks/grace", data=b"{}")
    [hook] = await mailbox.json("/api/hooks/ada")
    assert hook["body"].encode() == body
    assert hook["headers"]["webhook-id"] == "msg_1"
    assert hook["received_at"].endswith("+00:00")
    assert await mailbox.json("/api/hooks/nobody") == []
    assert await mailbox.json("/api/hooks") == [{"name": "ada", "count": 1}, {"name": "grace", "count": 1}]
    assert await mailbox.json("/api/hooks/count?name=ada") == {
        "count": 2,
        "received": 2,
        "dropped": 0,
        "name_count": 1,
    }


async def test_a_reserved_webhook_name_is_refused_and_not_swallowed(mailbox: Mailbox) -> None:
    async with mailbox.session.post("/hooks/count", data=b"{}") as response:
        assert response.status == 422
        assert "choose another" in (await response.json())["error"]


@pytest.mark.parametrize("mailbox", [["--capacity-mb", "1"]], indirect=True, ids=["1 MB"])
async def test_when_full_the_oldest_gives_way_and_the_page_says_so(mailbox: Mailbox) -> None:
    for number in range(5):
        await mailbox.session.post(f"/hooks/n{number}", data=b"x" * 300_000)
    assert await mailbox.json("/api/hooks/count") == {"count": 3, "received": 5, "dropped": 2}
    assert [name["name"] for name in await mailbox.json("/api/hooks")] == ["n2", "n3", "n4"]
    assert "5 received, 3 held, 2 dropped" in await mailbox.text("/hooks")


async def test_pages_show_what_was_caught_without_running_it(mailbox: Mailbox) -> None:
    await mailbox.send("ada@example.com", "<script>alert(1)</script>", html="<script>alert(2)</script><p>Hallo</p>")
    await mailbox.session.post("/hooks/ada", data=b'{"a":"<script>"}')
    assert "&lt;script&gt;alert(1)" in await mailbox.text("/")
    page = await mailbox.text("/mails/1")
    assert "<script" not in page
    assert "sandbox" in page
    assert "&lt;script&gt;" in await mailbox.text("/hooks/ada")
    async with mailbox.session.get("/mails/1/html") as response:
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert "Hallo" in await response.text()


HEAD = b"POST /hooks/ada HTTP/1.1\r\nHost: here\r\nwebhook-id: msg_1\r\n"
WAYS = {
    "whole": [HEAD + b"Content-Length: 5\r\n\r\nhello"],
    "in pieces": [HEAD, b"Content-Length: 5\r\n\r\nhe", b"llo"],
    "head first": [HEAD + b"Content-Length: 5\r\n\r\n", b"hello"],
    "chunked": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
    "asking first": [HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", b"hello"],
    "escaped": [HEAD.replace(b"ada", b"a%64a") + b"Content-Length: 5\r\n\r\nhello"],
}


@pytest.mark.parametrize("way", WAYS)
async def test_however_a_webhook_comes_it_is_kept_and_its_connection_serves_the_next(
    mailbox: Mailbox, way: str
) -> None:
    reader, writer = await asyncio.open_connection(ports.LOOPBACK, mailbox.http_port)
    for pieces in (WAYS["whole"], WAYS[way], WAYS["whole"]):
        for number, piece in enumerate(pieces, 1):
            writer.write(piece)
            await writer.drain()
            if b"Expect" in piece:
                assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
            elif number < len(pieces):
                await mailbox.text("/livez")  # by now the piece has arrived alone
        assert (await reader.readuntil(b"caught")).startswith(b"HTTP/1.1 200")
    writer.close()
    hooks = await mailbox.json("/api/hooks/ada")
    assert [hook["body"] for hook in hooks] == ["hello"] * 3
    assert {hook["headers"]["webhook-id"] for hook in hooks} == {"msg_1"}


async def test_several_webhooks_in_one_piece_are_all_kept(mailbox: Mailbox) -> None:
    reader, writer = await asyncio.open_connection(ports.LOOPBACK, mailbox.http_port)
    writer.write(WAYS["whole"][0] * 3)
    for _ in range(3):
        await reader.readuntil(b"caught")
    writer.close()
    assert (await mailbox.json("/api/hooks/count?name=ada"))["name_count"] == 3
