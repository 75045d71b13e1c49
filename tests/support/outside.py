"""What a client written from the wire documentation does and sees: send, then look at mails, hooks, traces."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from deploy.local.trial import Trial
from tests.support import waiting

Json = dict[str, Any]


async def send(system: Trial, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> tuple[int, Json]:
    """POST a notification; the status and the answer."""
    url = system.endpoints["ingest"] + "/v1/notifications"
    async with system.http.post(url, json=body, headers=headers) as response:
        answer: Json = await response.json(content_type=None)
        return response.status, answer


async def accepted(system: Trial, body: Mapping[str, Any]) -> str:
    """POST a notification that must be accepted; its id."""
    status, answer = await send(system, body)
    assert status == 202, answer
    return str(answer["notification_id"])


def request(name: str, *recipients: str, **fields: Any) -> Json:
    """A small valid body; `class_key` stands for the field `class`."""
    body = {"source": "e2e", "name": name, "description": f"About {name}", "recipients": list(recipients), **fields}
    if "class_key" in body:
        body["class"] = body.pop("class_key")
    return body


async def caught(system: Trial, user: str) -> list[Json]:
    """Every webhook a user received, each with its headers, its decoded `body`, and the text it came as, `raw`."""
    async with system.http.get(f"{system.endpoints['mailbox']}/api/hooks/{user}") as response:
        hooks: list[Json] = await response.json()
    return [{**hook, "raw": hook["body"], "body": json.loads(hook["body"])} for hook in hooks]


async def hooks(system: Trial, user: str, notification_id: str) -> list[Json]:
    """The webhooks a user received about a notification."""
    return [hook for hook in await caught(system, user) if hook["body"]["notification_id"] == notification_id]


async def mails(system: Trial, address: str, saying: str) -> list[Json]:
    """The mails to an address whose text says something."""
    async with system.http.get(f"{system.endpoints['mailbox']}/api/mails", params={"to": address}) as response:
        received: list[Json] = await response.json()
    return [mail for mail in received if saying in mail["text"]]


async def trace(system: Trial, notification_id: str) -> Json:
    """The trace of a notification, {} while intake has not taken it in."""
    url = f"{system.endpoints['console']}/v1/traces/{notification_id}"
    async with system.http.get(url) as response:
        found: Json = await response.json() if response.status == 200 else {}
        return found


async def deliveries_when(
    system: Trial, notification_id: str, satisfied: Callable[[list[Json]], bool], within_seconds: float = 30.0
) -> list[Json]:
    """The trace's deliveries once they satisfy a condition."""

    async def found() -> list[Json] | None:
        seen: list[Json] = (await trace(system, notification_id)).get("deliveries", [])
        return seen if satisfied(seen) else None

    return await waiting.until(found, within_seconds, f"deliveries of {notification_id} as expected")


async def ended(system: Trial, notification_id: str, count: int) -> list[Json]:
    """The trace's deliveries once `count` of them exist and all have ended."""
    ends = {"sent", "dead", "skipped", "expired", "cancelled"}
    return await deliveries_when(
        system, notification_id, lambda seen: len(seen) >= count and all(one["state"] in ends for one in seen)
    )


async def inbox_of(system: Trial, user: str) -> dict[str, str]:
    """The headers with which a recipient reads the own inbox."""
    url = system.endpoints["inbox"] + "/v1/inbox/tokens"
    async with system.http.post(url, json={"recipient": user, "seconds": 600}) as response:
        assert response.status in (200, 201), await response.text()
        return {"Authorization": f"Bearer {(await response.json())['token']}"}


async def inbox_items(system: Trial, headers: Mapping[str, str], show: str = "open") -> list[Json]:
    """A recipient's items, first page."""
    url = system.endpoints["inbox"] + "/v1/inbox"
    async with system.http.get(url, params={"show": show, "limit": "100"}, headers=headers) as response:
        assert response.status == 200, await response.text()
        items: list[Json] = (await response.json())["items"]
        return items
