"""What operators set over the console counts for what comes next, at every service and without a restart."""

from http import HTTPStatus
from typing import Any

from deploy.local.trial import Trial
from shared.contract import desktop_switch
from shared.contract.importance import STANDARD_OPTIONS, Importance
from tests.support import outside, waiting

_STANDARD = STANDARD_OPTIONS[Importance.DEFAULT]


async def importance(system: Trial, css_class: str, *, send: bool) -> None:
    options = {"retention": _STANDARD.retention, "cssClass": css_class, "sort": _STANDARD.sort, "send": send}
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
