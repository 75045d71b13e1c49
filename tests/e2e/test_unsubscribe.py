"""Who unsubscribes by the link in a mail gets no more of it, from either door, and the trace says why."""

import json
import re
import uuid
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer

from deploy.local.trial import TENANT, Trial
from tests.support import outside, waiting

ENDED = {("email", "skipped", "unsubscribed")}


async def mail_about(system: Trial, address: str, words: str) -> outside.Json:
    async def found() -> list[outside.Json]:
        return await outside.mails(system, address, words)

    [mail] = await waiting.until(found, 40, f"the mail about {words}")
    return mail


async def one_click(mail: outside.Json) -> None:
    """What a mail program does when its reader wants no more of this (RFC 8058)."""
    headers = {name.lower(): value for name, value in dict(mail["headers"]).items()}
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    link = link_of(mail)
    assert link in mail["html"]
    await posted(link, {"List-Unsubscribe": "One-Click"})


def link_of(mail: outside.Json) -> str:
    headers = {name.lower(): value for name, value in dict(mail["headers"]).items()}
    return re.sub(r"\s", "", headers["list-unsubscribe"]).strip("<>")


async def posted(link: str, body: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as nobody, nobody.post(link, data=body, allow_redirects=False) as response:
        assert response.status == 200


async def outcomes(system: Trial, notification: str, count: int = 1) -> set[tuple[Any, ...]]:
    return {(one["channel"], one["state"], one["reason"]) for one in await outside.ended(system, notification, count)}


async def by_topic(system: Trial, request: dict[str, Any]) -> str:
    producer = AIOKafkaProducer(bootstrap_servers=system.endpoints["kafka"])
    await producer.start()
    try:
        headers = [("tenant", TENANT.encode())]
        await producer.send_and_wait("notifications.requests", json.dumps(request).encode(), headers=headers)
    finally:
        await producer.stop()
    inbox = await outside.inbox_of(system, request["recipients"][0])

    async def arrived() -> str | None:
        items = await outside.inbox_items(system, inbox)
        return next((str(item["id"]) for item in items if item["name"] == request["name"]), None)

    return await waiting.until(arrived, 40, "the item in the inbox")


def about(user: str, class_key: str, **fields: Any) -> dict[str, Any]:
    name = f"Story {uuid.uuid4().hex[:8]}"
    standard = {"channels": ["inbox", "email"], "importance": "info"}
    return outside.request(name, user, class_key=class_key, **{**standard, **fields})


async def test_an_immediate_mail_is_ended_by_its_link_for_both_doors(system: Trial) -> None:
    await system.console("PUT", "/v1/classes/tips", {"name": "Tips", "options": {"email": "immediate"}})
    first = about("user-0", "tips")
    await outside.accepted(system, first)
    await one_click(await mail_about(system, "user-0@example.test", first["name"]))
    assert await outcomes(system, await outside.accepted(system, about("user-0", "tips"))) == ENDED
    assert await outcomes(system, await by_topic(system, about("user-0", "tips"))) == ENDED

    alarm = about("user-0", "tips", importance="danger")
    assert await outcomes(system, await outside.accepted(system, alarm)) == {("email", "sent", None)}
    mail = await mail_about(system, "user-0@example.test", alarm["name"])
    assert "list-unsubscribe" not in {name.lower() for name in dict(mail["headers"])}


async def test_a_digest_is_ended_by_its_link(system: Trial) -> None:
    await system.console("PUT", "/v1/classes/stories", {"name": "Stories", "options": {"window_seconds": 2}})
    first = about("user-1", "stories")
    await outside.accepted(system, first)
    await one_click(await mail_about(system, "user-1@example.test", first["name"]))
    for importance in ("info", "danger"):
        sent = await outside.accepted(system, about("user-1", "stories", importance=importance))
        assert await outcomes(system, sent) == ENDED


async def test_an_asset_is_ended_by_the_link_of_a_mail_about_it_and_its_class_goes_on(system: Trial) -> None:
    await system.console("PUT", "/v1/classes/leaflets", {"name": "Leaflets", "options": {"email": "immediate"}})
    first = about("user-2", "leaflets", asset="4")
    await outside.accepted(system, first)
    await one_click(await mail_about(system, "user-2@example.test", first["name"]))
    assert await outcomes(system, await outside.accepted(system, about("user-2", "leaflets", asset="4"))) == ENDED
    both = about("user-2", "leaflets", asset="4", channels=["inbox", "push", "email"])
    assert await outcomes(system, await outside.accepted(system, both), 2) == ENDED | {("push", "sent", None)}
    other = await outside.accepted(system, about("user-2", "leaflets", asset="5"))
    assert await outcomes(system, other) == {("email", "sent", None)}


async def test_who_ends_everything_gets_no_mail_of_any_class_or_asset_until_it_is_undone(system: Trial) -> None:
    for key, options in (("offers", {"email": "immediate"}), ("hints", {}), ("gossip", {"window_seconds": 1})):
        await system.console("PUT", f"/v1/classes/{key}", {"name": key, "options": options})
    await system.console("PUT", "/v1/users/nina", {"email": "nina@example.test"})
    spoken_for = {"recipient": "nina", "channel": "email", "class": "hints", "state": "subscribed"}
    await system.console("PUT", "/v1/preferences", spoken_for)
    first = about("nina", "offers")
    await outside.accepted(system, first)
    link = link_of(await mail_about(system, "nina@example.test", first["name"]))

    await posted(link, {"do": "end_all"})
    immediate = {"options": {"email": "immediate"}}
    for request in (
        about("nina", "offers"),
        about("nina", "offers", asset="9"),
        about("nina", "hints", **immediate),
        about("nina", "gossip"),
    ):
        assert await outcomes(system, await outside.accepted(system, request)) == ENDED
    alarm = await outside.accepted(system, about("nina", "offers", importance="danger"))
    assert await outcomes(system, alarm) == {("email", "sent", None)}

    await posted(link, {"do": "again_all"})
    again = await outside.accepted(system, about("nina", "hints", **immediate))
    assert await outcomes(system, again) == {("email", "sent", None)}
