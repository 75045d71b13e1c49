"""What operators set over the console counts for what comes next, at every service and without a restart."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Any

from deploy.local.trial import Trial
from shared.contract import desktop_switch
from shared.contract.importance import STANDARD_OPTIONS, Importance
from tests.support import outside, waiting

_STANDARD = STANDARD_OPTIONS[Importance.DEFAULT]
_SHOWN = re.compile(r"border-left: 6px solid (#\w+).*?<h2[^>]*>([^<]*)</h2>", re.DOTALL)


async def importance(system: Trial, css_class: str, *, send: bool, **others: int) -> None:
    options = {"retention": _STANDARD.retention, "sort": _STANDARD.sort, "cssClass": css_class, "send": send, **others}
    await system.console("PUT", "/v1/importances/default", options)


async def emails(system: Trial, name: str) -> dict[str, Any]:
    """What became of the mail of a notification of importance default, and how its item is coloured."""
    body = outside.request(name, "user-0", importance="default", options={"email": "immediate"})
    sent = await outside.accepted(system, body)
    deliveries = await outside.ended(system, sent, 2)
    (mail,) = [one for one in deliveries if one["channel"] == "email"]
    items = await outside.inbox_items(system, await outside.inbox_of(system, "user-0"))
    (item,) = [item for item in items if item["id"] == sent]
    return {"state": mail["state"], "reason": mail["reason"], "css_class": item["css_class"]}


async def test_an_importance_made_to_send_mails_what_was_only_shown_before(system: Trial) -> None:
    assert (await emails(system, "Before"))["reason"] == "send_not_set"
    try:
        await importance(system, "bg-own", send=True)
        assert await emails(system, "After") == {"state": "sent", "reason": None, "css_class": "bg-own"}
    finally:
        await importance(system, _STANDARD.css_class, send=_STANDARD.send)


async def test_an_importance_changes_colour_order_mail_and_retention_for_inbox_and_digest(system: Trial) -> None:
    await system.console("PUT", "/v1/users/olga", {"email": "olga@example.test"})
    await system.console("PUT", "/v1/classes/ranked", {"name": "Ranked", "options": {"window_seconds": 3}})
    inbox = await outside.inbox_of(system, "olga")

    async def told(word: str) -> tuple[list[tuple[str, str]], list[outside.Json]]:
        """Colours and names in a digest of an alarm and a remark, and their items in the inbox, in their order."""
        for name, level in (("alarm", "danger"), ("remark", "default")):
            fields = {"importance": level, "class_key": "ranked", "channels": ["inbox", "email"]}
            await outside.accepted(system, outside.request(f"{word} {name}", "olga", **fields))

        async def digest() -> list[outside.Json]:
            return await outside.mails(system, "olga@example.test", f"{word} alarm")

        [mail] = await waiting.until(digest, 40, "the digest mail")
        items = await outside.inbox_items(system, inbox)
        return _SHOWN.findall(mail["html"]), [item for item in items if item["name"].startswith(word)]

    shown, items = await told("Standard")
    assert shown == [("#dc3545", "Standard alarm")]
    assert [item["name"] for item in items] == ["Standard alarm", "Standard remark"]
    try:
        await importance(system, "bg-dark", send=True, sort=0, retention=2)
        shown, items = await told("Own")
    finally:
        await importance(system, _STANDARD.css_class, send=_STANDARD.send)
    assert shown == [("#212529", "Own remark"), ("#dc3545", "Own alarm")]
    assert [item["name"] for item in items] == ["Own remark", "Own alarm"]
    assert [item["css_class"] for item in items] == ["bg-dark", "bg-danger"]
    kept = [datetime.fromisoformat(item["expires_at"]) - datetime.fromisoformat(item["created_at"]) for item in items]
    assert [each.days for each in kept] == [2, 7]


async def test_the_desktop_assistant_is_switched_off_and_on_by_its_property(system: Trial) -> None:
    path = f"/v1/properties/{desktop_switch.PROPERTY}"

    async def answers() -> int:
        url = system.endpoints["ingest"] + "/api/sn_dex_desktop/notifications"
        parameters = {"notification_message": "Restart, please", "recipient_list": "user-0", "source": "mim"}
        async with system.http.post(url, json=parameters) as response:
            return int((await response.json())["responseCode"])

    async def answered(status: HTTPStatus) -> bool:
        return await answers() == status

    try:
        await system.console("PUT", path, {"value": False})
        await waiting.until(lambda: answered(HTTPStatus.BAD_REQUEST), 5, "the property to count")
    finally:
        await system.console("PUT", path, {"value": True})
    await waiting.until(lambda: answered(HTTPStatus.OK), 5, "the property to count again")
