"""sendNotification from a caller's program to webhook and inbox, through every real part."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import uuid
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer

from deploy.local.trial import Trial
from tests.support import outside, repository, waiting

PROGRAM = re.compile(r"```python\n(.+?)```", re.DOTALL)
AARON = "aaron.mcmullen@hypermedia.com.au"


@dataclass(frozen=True)
class Caller:
    """A super user of company 3, and what it presents."""

    system: Trial
    headers: dict[str, str]

    async def send(self, body: dict[str, Any]) -> Any:
        url = self.system.endpoints["ingest"] + "/rest/notification/send"
        data = io.BytesIO(json.dumps(body).encode())
        async with self.system.http.post(url, data=data, headers=self.headers) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def notification_of(self, answer: dict[str, int]) -> str:
        """The notification behind a schedule, once the record has it."""
        path = f"/v1/schedules/{answer['notificationScheduleId']}"

        async def found() -> str | None:
            async with self.system.http.get(self.system.endpoints["console"] + path) as response:
                return str((await response.json())["notification_id"]) if response.status == 200 else None

        return await waiting.until(found, 30, f"GET {path}")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def caller(system: Trial) -> Caller:
    await system.console("PUT", "/v1/users/root", {"id": "root", "roles": ["SUPER_USER"]})
    await system.console("PUT", "/v1/users/aaron", {"id": "aaron", "login": "aaron", "email": AARON})
    webhook = {"recipient": "aaron", "channel": "push", "kind": "webhook",
               "address": f"{system.endpoints['mailbox']}/hooks/aaron"}  # fmt: skip
    await system.console("POST", "/v1/endpoints", webhook)
    await system.console("PUT", "/v1/groups/company/3", {"name": "Pfizer", "company": "3"})
    await system.console("PUT", "/v1/groups/team/23", {"name": "North", "company": "3"})
    for user in ("user-0", "user-1"):
        await system.console("PUT", f"/v1/groups/team/23/members/{user}", {"status": "accepted"})
    await system.console("PUT", "/v1/tags/12", {"name": "Spring"})
    token = await system.console("POST", "/v1/sam/tokens", {"user": "root"})
    key = await system.console("POST", "/v1/sam/company-keys", {"company": "3"})
    return Caller(
        system, {"x-nextinteract-authtoken": token["authtoken"], "x-nextinteract-company-api-key": key["key"]}
    )


async def test_the_program_of_the_tutorial_reaches_webhook_and_inbox_with_type_and_colour(caller: Caller) -> None:
    [text] = PROGRAM.findall((repository.ROOT / "docs" / "tutorials" / "from-sam.md").read_text())
    environment = {
        "PATH": os.environ["PATH"],
        "TOCSIN_INGEST_URL": caller.system.endpoints["ingest"],
        "SAM_AUTHTOKEN": caller.headers["x-nextinteract-authtoken"],
        "SAM_KEY": caller.headers["x-nextinteract-company-api-key"],
    }
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True
    )
    sent = await caller.notification_of({"notificationScheduleId": int(done.stdout)})
    [push] = [one for one in await outside.ended(caller.system, sent, 1) if one["channel"] == "push"]
    assert (push["recipient"], push["state"]) == ("aaron", "sent")
    [hook] = await outside.hooks(caller.system, "aaron", sent)
    assert hook["body"]["description"] == "PFIZER ORDER UPDATE - Order 123456 hs SHIPPED"
    items = await outside.inbox_items(caller.system, await outside.inbox_of(caller.system, "aaron"))
    [item] = [item for item in items if item["id"] == sent]
    assert (item["type"], item["status"], item["importance"]) == ("7", "Available", "info")
    assert item["status_css_class"] == "bg-success"


async def test_a_token_does_not_speak_for_who_gets_the_id_of_a_deleted_user(caller: Caller) -> None:
    user, path = {"id": "temp", "roles": ["SUPER_USER"]}, "/v1/users/temp"
    body = {"version": 4, "type": "UN", "key": "3", "values": ["aaron"], "message": "Still here?"}
    await caller.system.console("PUT", path, user)
    token = await caller.system.console("POST", "/v1/sam/tokens", {"user": "temp"})
    theirs = Caller(caller.system, caller.headers | {"x-nextinteract-authtoken": token["authtoken"]})
    await theirs.send(body)
    async with caller.system.http.delete(caller.system.endpoints["console"] + path) as response:
        assert response.status == 204
    await caller.system.console("PUT", path, user)
    with pytest.raises(AssertionError, match="unknown, has expired or was revoked"):
        await theirs.send(body)


async def test_a_team_is_told_with_the_tag_in_the_link_and_version_2_counts_it(caller: Caller) -> None:
    body = {"type": "GT", "key": "3", "values": ["23"], "message": "Visit https://news.example/a now"}
    assert await caller.send({"version": 2, **body}) == 2
    answer = await caller.send({"version": 3, **body, "url": "https://crm.example/7", "campaignTagId": 12})
    sent = await caller.notification_of(answer)
    deliveries = await outside.ended(caller.system, sent, 2)
    assert {(one["recipient"], one["channel"], one["state"]) for one in deliveries if one["channel"] == "push"} == {
        ("user-0", "push", "sent"), ("user-1", "push", "sent")
    }  # fmt: skip
    [hook] = await outside.hooks(caller.system, "user-0", sent)
    assert hook["body"]["url"] == "https://crm.example/7?campaignTagId=12"
    assert hook["body"]["description"] == "Visit https://news.example/a?campaignTagId=12 now"


async def test_a_schedule_waits_for_its_local_time_and_can_be_cancelled(caller: Caller) -> None:
    local = (datetime.now(UTC) + timedelta(hours=2)).replace(tzinfo=None).isoformat(timespec="seconds")
    answer = await caller.send(
        {"version": 4, "type": "GT", "key": "3", "message": "Later", "scheduleTimezoneId": "Etc/UTC",
         "scheduleLocalDateTime": local}
    )  # fmt: skip
    await caller.notification_of(answer)
    path = f"/v1/schedules/{answer['notificationScheduleId']}"
    assert (await caller.system.console("GET", path))["local"] == local
    assert (await caller.system.console("DELETE", path))["state"] == "cancelled"


async def test_a_job_runs_with_a_schedule_when_it_is_due_in_its_zone(caller: Caller) -> None:
    zone = "Australia/Lord_Howe"
    due = datetime.now(zoneinfo.ZoneInfo(zone)).replace(microsecond=0, tzinfo=None) + timedelta(seconds=3)
    message = f"Restock {uuid.uuid4().hex[:8]}"
    await caller.send(
        {"version": 4, "type": "UN", "key": "3", "values": ["aaron"], "message": message, "scheduleTimezoneId": zone,
         "scheduleLocalDateTime": due.isoformat(), "scheduleJobName": "weekly"}
    )  # fmt: skip
    inbox = await outside.inbox_of(caller.system, "aaron")

    async def called() -> list[str]:
        items = await outside.inbox_items(caller.system, inbox)
        return [item["description"] for item in items if item["name"] == f"Weekly: {message}"]

    assert await waiting.until(called, 40, "what the job asked for") == [f"{due.isoformat()} {zone}"]


async def test_the_admins_get_one_mail_with_counts_and_failures_when_a_team_was_told(caller: Caller) -> None:
    system, message = caller.system, f"Reopened {uuid.uuid4().hex[:8]}"
    await system.console("PUT", "/v1/groups/team/27", {"name": "South", "company": "3"})
    await system.console("PUT", "/v1/users/unhooked", {})
    gone = {"recipient": "unhooked", "channel": "push", "kind": "webhook",
            "address": f"{system.endpoints['mailbox']}/nowhere"}  # fmt: skip
    await system.console("POST", "/v1/endpoints", gone)
    for user in ("user-2", "unhooked"):
        await system.console("PUT", f"/v1/groups/team/27/members/{user}", {"status": "accepted"})
    sent = await caller.notification_of(
        await caller.send({"version": 3, "type": "GT", "key": "3", "values": ["27"], "message": message})
    )
    for admin in ("boss", "deputy"):

        async def told(address: str = f"{admin}@example.test") -> list[outside.Json]:
            return await outside.mails(system, address, message)

        [mail] = await waiting.until(told, 40, f"a mail to {admin} about {message}")
        assert mail["subject"] == f"Ended: {message}"
        assert "to 2 recipients has ended" in mail["text"]
        [dead] = [one for one in await outside.ended(system, sent, 2) if one["state"] == "dead"]
        assert f"1 dead ({dead['reason']})" in mail["text"]
        assert "1 sent" in mail["text"]
        assert f"tocsin trace {sent}" in mail["text"]


async def test_a_touched_asset_is_told_on_its_topic(caller: Caller) -> None:
    system = caller.system
    await system.console("PUT", "/v1/groups/asset/4", {"name": "Leaflet", "company": "3"})
    await system.console("PUT", "/v1/groups/asset/4/members/user-0", {"status": "accepted"})
    body = {"version": 3, "type": "GA", "key": "3", "brochureId": 4, "message": "New", "updateEntityLastModified": True}
    sent = await caller.notification_of(await caller.send(body))
    reader = AIOKafkaConsumer(
        "entities.touched", bootstrap_servers=system.endpoints["kafka"], auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        async with asyncio.timeout(60):
            told = json.loads((await reader.getone()).value)
    finally:
        await reader.stop()
    assert (told["table"], told["entity"], told["notification_id"]) == ("brochure", "4", sent)


async def test_who_unsubscribed_from_an_assets_push_gets_none_by_its_brochure_id(caller: Caller) -> None:
    system = caller.system
    unwanted = {"recipient": "user-1", "channel": "push", "asset": "44", "state": "unsubscribed"}
    await system.console("PUT", "/v1/preferences", unwanted)
    body = {"version": 3, "type": "GT", "key": "3", "values": ["23"], "message": "About a leaflet"}
    for brochure, pushed in ((44, ("skipped", "unsubscribed")), (45, ("sent", None))):
        sent = await caller.notification_of(await caller.send({**body, "brochureId": brochure}))
        states = {
            one["recipient"]: (one["state"], one["reason"])
            for one in await outside.ended(system, sent, 2) if one["channel"] == "push"
        }  # fmt: skip
        assert states == {"user-0": ("sent", None), "user-1": pushed}


TEMPLATE = (
    '<p>Dear {{ userFirstName }} {{ userLastName }}</p>{{ emailBody|html }}<a href="{{ desktopURL }}">desk</a>'
    '<a href="{{ interactURL }}">app</a><a href="{{ unsubcribeURL }}">leave</a>'
)
MAIL = {
    "version": 4, "type": "GT", "key": "3", "values": ["23"], "message": "See your mail", "brochureId": 4,
    "campaignTagId": 12, "emailTemplate": "news.html",
    "emailParams": [
        {"key": "userFirstName", "value": "ignored"}, {"key": "userLastName", "value": "of the team"},
        {"key": "emailBody", "value": "ignored"},
    ],
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def template(caller: Caller) -> None:
    system = caller.system
    for number, name in enumerate(("Ada", "Grace")):
        fields = {"email": f"user-{number}@example.test", "first_name": name}
        await system.console("PUT", f"/v1/users/user-{number}", fields)
    await system.console("PUT", "/v1/users/boss", {"email": "boss@example.test", "roles": ["COMPANY_ADMIN"]})
    await system.console("PUT", "/v1/properties/mail.desktop_url", {"value": "https://desk.example/home"})
    await system.console("PUT", "/v1/properties/mail.interact_url", {"value": "interact://home"})
    await system.console("PUT", "/v1/templates/news.html", {"html": TEMPLATE})


@pytest.mark.usefixtures("template")
async def test_a_template_makes_a_mail_for_each_with_links_of_their_own_and_the_admins_are_told(
    caller: Caller,
) -> None:
    body = '<p>Read <a href="https://news.example/a">this</a></p><script>x</script>'
    sent = await caller.notification_of(await caller.send({**MAIL, "emailSubject": "News of May", "emailBody": body}))
    deliveries = await outside.ended(caller.system, sent, 4)
    assert {(one["recipient"], one["state"]) for one in deliveries if one["channel"] == "email"} == {
        ("user-0", "sent"), ("user-1", "sent")
    }  # fmt: skip
    left = set()
    for user, name in (("user-0", "Ada"), ("user-1", "Grace")):
        [mail] = await outside.mails(caller.system, f"{user}@example.test", f"Dear {name} of the team")
        assert mail["subject"] == "News of May"
        for link in ("https://news.example/a", "https://desk.example/home", "interact://home"):
            assert f'href="{link}?campaignTagId=12"' in mail["html"]
        assert "<script" not in mail["html"]
        [leave] = re.findall(r'href="([^"]+)">leave', mail["html"])
        left.add(leave)
    assert len(left) == 2, "each unsubscribes for themselves alone"

    async def told() -> list[dict[str, Any]]:
        return await outside.mails(caller.system, "boss@example.test", "News of May")

    [report] = await waiting.until(told, 30, "the report to the admins")
    assert "- email: 2 sent" in report["text"]

    async with caller.system.http.post(leave, data={"List-Unsubscribe": "One-Click"}) as response:
        assert response.status == 200, await response.text()
    again = await caller.notification_of(await caller.send({**MAIL, "emailSubject": "News of June", "emailBody": "x"}))
    deliveries = await outside.ended(caller.system, again, 4)
    assert {(one["recipient"], one["state"]) for one in deliveries if one["channel"] == "email"} == {
        ("user-0", "sent"), ("user-1", "skipped")
    }  # fmt: skip


@pytest.mark.usefixtures("template")
async def test_the_campaigns_tag_stands_in_the_deep_links_of_push_inbox_and_mail(caller: Caller) -> None:
    body = '<p>Seats <a href="interact://event/12?tab=2">here</a> or <a href="mailto:crew@example.test">by mail</a></p>'
    message = "Open interact://event/12. Or write to mailto:crew@example.test"
    tagged = message.replace("event/12", "event/12?campaignTagId=12")
    fields = {"message": message, "url": "interact://event/12", "emailSubject": "Seats of May", "emailBody": body}
    sent = await caller.notification_of(await caller.send({**MAIL, **fields}))
    await outside.ended(caller.system, sent, 4)
    [hook] = await outside.hooks(caller.system, "user-0", sent)
    assert (hook["body"]["description"], hook["body"]["url"]) == (tagged, "interact://event/12?campaignTagId=12")
    items = await outside.inbox_items(caller.system, await outside.inbox_of(caller.system, "user-0"))
    assert [item["description"] for item in items if item["id"] == sent] == [tagged]
    [mail] = await outside.mails(caller.system, "user-0@example.test", "Seats here")
    assert 'href="interact://event/12?tab=2&amp;campaignTagId=12"' in mail["html"]
    assert 'href="mailto:crew@example.test"' in mail["html"]


SHIPPED = {
    **{name: value for name, value in MAIL.items() if name not in {"brochureId", "campaignTagId"}},
    "emailTemplate": "Client.Generic.HTMLBody.Mandrill.html",
    "emailParams": [{"key": "emailBody", "value": "any"}, {"key": "unsubcribeURL", "value": "any"}],
}


@pytest.mark.usefixtures("template")
async def test_the_template_of_the_source_brings_a_body_to_the_mailbox_with_a_way_out(caller: Caller) -> None:
    body = '<table><tr><td bgcolor="#eee">Grüße of May</td></tr></table><script>x</script>'
    sent = await caller.notification_of(await caller.send({**SHIPPED, "emailSubject": "Greetings", "emailBody": body}))
    deliveries = await outside.ended(caller.system, sent, 4)
    assert {one["state"] for one in deliveries if one["channel"] == "email"} == {"sent"}
    left = set()
    for user in ("user-0", "user-1"):
        [mail] = await outside.mails(caller.system, f"{user}@example.test", "Grüße of May")
        assert mail["subject"] == "Greetings"
        assert '<td bgcolor="#eee">Grüße of May</td>' in mail["html"]
        assert "<script" not in mail["html"]
        left |= set(re.findall(r'href="([^"]+/u/[^"]+)"[^>]*>Unsubscribe', mail["html"]))
    assert len(left) == 2, "each unsubscribes for themselves alone"


@pytest.mark.usefixtures("template")
async def test_a_body_of_ten_million_characters_goes_out_as_one_mail_and_one_more_is_refused(caller: Caller) -> None:
    large = "<p>" + "x" * (10_000_000 - 7) + "</p>"
    body = {**MAIL, "type": "UN", "values": ["aaron"], "emailSubject": "All of it"}
    sent = await caller.notification_of(await caller.send({**body, "emailBody": large}))
    [mail] = [one for one in await outside.ended(caller.system, sent, 2) if one["channel"] == "email"]
    assert mail["state"] == "sent"
    arrived = [one for one in await outside.mails(caller.system, AARON, "") if one["subject"] == "All of it"]
    # On a busy machine fourteen megabytes can take longer than an attempt may: then one more comes, under the same id.
    assert len({one["message_id"] for one in arrived}) == 1
    assert len(arrived) <= len(mail["attempts"])
    assert large in arrived[-1]["html"]
    url = caller.system.endpoints["ingest"] + "/rest/notification/send"
    data = io.BytesIO(json.dumps({**body, "emailBody": large + "x"}).encode())
    async with caller.system.http.post(url, data=data, headers=caller.headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["errors"][0]["field"] == "emailBody"
