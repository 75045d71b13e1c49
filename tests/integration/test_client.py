"""The SDK against an HTTP server of the network's manners: late, busy, gone, refusing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from aiohttp import web

from shared.client import AsyncTocsin, Console, Patience, RefusedError, Tocsin, UnavailableError
from shared.retry import Backoff

HASTY = Patience(attempts=4, timeout_seconds=5.0, backoff=Backoff(first_seconds=0.001, longest_seconds=0.002))
ID = UUID("0199a1b2-7c1d-7e43-9f0a-2f6c1d9e8b11")
ACCEPTED = {"notification_id": str(ID), "status": "accepted", "schedule_id": None, "deduplication": "checked"}


class Scripted:
    """Answers requests in turn from a list of (status, headers, body); the last one stays."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.script: list[Callable[[web.Request], web.Response | None]] = []
        self.url = ""

    def says(self, status: int, body: Any = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append(lambda _: web.json_response(body, status=status, headers=named))

    def hangs_up(self) -> None:
        self.script.append(lambda _: None)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.seen.append((request.method, request.path_qs, dict(request.headers), json.loads(text) if text else None))
        said = (self.script.pop(0) if len(self.script) > 1 else self.script[0])(request)
        if said is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return said


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", scripted.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield scripted
    await runner.cleanup()


def keys_sent(server: Scripted) -> set[str]:
    return {headers["Idempotency-Key"] for _, _, headers, _ in server.seen}


async def notified(server: Scripted, **more: Any) -> Any:
    async with AsyncTocsin(server.url, "tk_x", HASTY) as tocsin:
        return await tocsin.notify(source="billing", name="Invoice 81", description="Paid.", recipients=["ada"], **more)


async def test_what_is_busy_or_hangs_up_is_asked_again_under_the_same_idempotency_key(server: Scripted) -> None:
    server.says(503, {"detail": "Kafka is away"}, Retry_After="0")
    server.hangs_up()
    server.says(429, {"detail": "slower"})
    server.says(202, ACCEPTED)
    accepted = await notified(server, class_key="enquiries", importance="danger")
    assert (accepted.notification_id, accepted.deduplication) == (ID, "checked")
    assert len(server.seen) == 4
    assert len(keys_sent(server)) == 1
    bodies = [body for *_, body in server.seen]
    assert bodies[0] == bodies[3]
    assert (bodies[0]["class"], bodies[0]["importance"]) == ("enquiries", "danger")


async def test_retry_after_is_waited_for(server: Scripted) -> None:
    server.says(503, {"detail": "Kafka is away"}, Retry_After="1")
    server.says(202, ACCEPTED)
    started = asyncio.get_running_loop().time()
    await notified(server)
    assert asyncio.get_running_loop().time() - started >= 1.0


async def test_the_callers_own_key_is_used(server: Scripted) -> None:
    server.says(202, ACCEPTED)
    await notified(server, idempotency_key="order-77")
    assert keys_sent(server) == {"order-77"}


async def test_patience_ends(server: Scripted) -> None:
    server.says(503, {"detail": "Kafka is away"})
    with pytest.raises(UnavailableError, match="Kafka is away"):
        await notified(server)
    assert len(server.seen) == HASTY.attempts


async def test_nobody_listening_is_unavailable_not_a_crash() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    async with AsyncTocsin(f"http://127.0.0.1:{free}", "tk_x", HASTY) as tocsin:
        with pytest.raises(UnavailableError, match="cannot connect"):
            await tocsin.notify(source="s", name="n", description="d", recipients=["ada"])


async def test_a_refusal_is_not_repeated_and_names_every_field(server: Scripted) -> None:
    errors = [{"pointer": "/importance", "code": "enum", "detail": "no such importance"}]
    server.says(422, {"title": "Unprocessable", "detail": "the request is not valid", "errors": errors})
    with pytest.raises(RefusedError) as refused:
        await notified(server)
    assert (refused.value.status, len(server.seen)) == (422, 1)
    assert [error.pointer for error in refused.value.errors] == ["/importance"]
    assert "/importance: no such importance" in str(refused.value)


async def test_a_refusal_by_something_between_is_told_as_it_came(server: Scripted) -> None:
    server.script.append(lambda _: web.Response(status=403, text="<h1>Forbidden by the gateway</h1>"))
    with pytest.raises(RefusedError, match="Forbidden by the gateway"):
        await notified(server)


async def test_what_the_door_would_refuse_is_not_even_sent(server: Scripted) -> None:
    async with AsyncTocsin(server.url, "tk_x", HASTY) as tocsin:
        with pytest.raises(RefusedError) as refused:
            await tocsin.notify(source="billing", name="x" * 256, description="", recipients=["ada"])
    assert [error.pointer for error in refused.value.errors] == ["/name", "/description"]
    assert server.seen == []


async def test_many_go_in_batches_of_a_thousand_each_answered_in_its_place(server: Scripted) -> None:
    taken = {**ACCEPTED, "status": 202}
    server.says(200, {"results": [taken] * 999 + [{"status": 422, "errors": []}]})
    server.says(200, {"results": [{**taken, "schedule_id": 7}]})
    async with AsyncTocsin(server.url, "tk_x", HASTY) as tocsin:
        answers = await tocsin.notify_many(
            {"source": "s", "name": f"n{number}", "description": "d", "recipients": ["ada"]} for number in range(1001)
        )
    assert [len(body["notifications"]) for *_, body in server.seen] == [1000, 1]
    assert [getattr(answers[place], "status") for place in (0, 999, 1000)] == ["accepted", 422, "scheduled"]  # noqa: B009
    assert len({one["idempotency_key"] for *_, body in server.seen for one in body["notifications"]}) == 1001


async def test_a_batch_keeps_below_the_largest_body_of_the_door(server: Scripted) -> None:
    server.script.append(lambda _: web.json_response({"results": [ACCEPTED]}))
    async with AsyncTocsin(server.url, "tk_x", HASTY) as tocsin:
        await tocsin.notify_many(
            {"source": "s", "name": "n", "description": "d" * 4_096, "recipients": ["ada"]} for _ in range(300)
        )
    assert len(server.seen) == 2
    assert all(int(headers["Content-Length"]) < 1_048_576 for _, _, headers, _ in server.seen)


async def test_lists_are_followed_to_their_end(server: Scripted) -> None:
    server.says(200, {"items": [{"id": "ada"}, {"id": "grace"}], "next": "c2"})
    server.says(200, {"items": [{"id": "linus", "said_later": 1}], "next": None})
    async with Console(server.url, "tk_x", HASTY) as console:
        assert [user.id async for user in console.users()] == ["ada", "grace", "linus"]
    assert [path for _, path, *_ in server.seen] == ["/v1/users?limit=100", "/v1/users?limit=100&cursor=c2"]


async def test_what_has_no_identity_is_not_repeated_once_it_may_have_arrived(server: Scripted) -> None:
    server.hangs_up()
    async with Console(server.url, "tk_x", HASTY) as console:
        with pytest.raises(UnavailableError, match="look whether it happened"):
            await console.create_key("ci", ["publish"])
    assert len(server.seen) == 1


async def test_the_blocking_client_does_the_same(server: Scripted) -> None:
    server.says(503, {"detail": "Kafka is away"})
    server.says(202, ACCEPTED)

    def block() -> UUID:
        with Tocsin(server.url, "tk_x", HASTY) as tocsin:
            return tocsin.notify(source="s", name="n", description="d", recipients=["ada"]).notification_id

    assert await asyncio.to_thread(block) == ID


def lines_of(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/x-ndjson")


async def test_an_export_that_was_cut_off_is_told_from_a_whole_one(server: Scripted) -> None:
    row = b'{"table": "users", "row": {"id": "ada"}}\n'
    whole = row + b'{"complete": true, "rows": 1}\n'
    server.script += [lambda _: lines_of(whole), lambda _: lines_of(row)]
    async with Console(server.url, "tk_1", HASTY) as console:
        assert [each.table async for each in console.export_user("ada")] == ["users"]
        with pytest.raises(UnavailableError, match="cut off"):
            assert [each.table async for each in console.export_user("ada")] == ["users"]
