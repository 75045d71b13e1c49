"""Scripts, jobs and completion mails through a whole system: from the door to the mailbox and the inbox."""

import uuid
from datetime import UTC, datetime, timedelta

import aiohttp

from deploy.local.trial import Trial
from tests.support import outside, waiting


def named(name: str) -> str:
    return f"{name} {uuid.uuid4().hex[:8]}"


async def subjects(system: Trial, user: str, saying: str) -> list[str]:
    """The subjects of a user's mails that have a word in them."""
    url = f"{system.endpoints['mailbox']}/api/mails"
    async with system.http.get(url, params={"to": f"{user}@example.test"}) as response:
        return [mail["subject"] for mail in await response.json() if saying in mail["subject"]]


async def mailed(system: Trial, user: str, saying: str) -> list[str]:
    async def found() -> list[str]:
        return await subjects(system, user, saying)

    return await waiting.until(found, 40, f"a mail to {user} about {saying}")


async def test_a_script_mails_copes_with_a_system_user_and_deletes_what_it_was_made_for(system: Trial) -> None:
    name = named("Ada")
    sent = await outside.accepted(
        system, outside.request(name, "user-0", "robot", importance="info", script="welcome", channels=["inbox"])
    )
    assert await mailed(system, "user-0", name) == [f"Welcome: {name}"]
    inbox = await outside.inbox_of(system, "user-0")
    assert sent not in {item["id"] for item in await outside.inbox_items(system, inbox, "all")}
    events = [moment["event"] for moment in (await outside.trace(system, sent))["timeline"]]
    assert events[-2:] == ["script_done", "cancelled"]


async def test_a_script_of_each_recipient_mails_everybody_once_at_its_time(system: Trial) -> None:
    name = named("Enquiry")
    await outside.accepted(
        system,
        outside.request(
            name, "user-0", "user-1", "robot", importance="info", script="remind", options={"after_seconds": 1}
        ),
    )  # fmt: skip
    for user in ("user-0", "user-1"):
        assert await mailed(system, user, f"Reminder for {user}") == [f"Reminder for {user}"]


async def test_a_script_that_fails_is_a_dead_letter_with_its_traceback_that_can_be_redriven(system: Trial) -> None:
    await outside.accepted(system, outside.request(named("Broken"), "user-0", importance="info", script="broken"))

    async def letters() -> list[outside.Json]:
        found = await system.console("GET", "/v1/dead-letters?reason=script_failed")
        return [letter for letter in found["items"] if letter["redriven"] is None]

    [letter] = await waiting.until(letters, 30, "a dead letter")
    assert "ValueError: the boiler is off, attempt 2" in letter["detail"]
    redriven = await system.console("POST", "/v1/dead-letters/redrive", {"ids": [letter["id"]]})
    assert redriven["redriven"] == 1
    [again] = await waiting.until(letters, 30, "the letter of the second time")
    assert again["id"] != letter["id"]


async def test_a_script_cannot_shed_its_owners_limits_by_handing_on_to_another(system: Trial) -> None:
    key = await system.console("POST", "/v1/keys", {"name": "enquiries", "scopes": ["publish:enquiries"]})
    asked = outside.request(named("Enquiry"), "user-0", importance="info", script="handing_on", class_key="enquiries")
    status, answer = await outside.send(system, asked, {"Authorization": f"Bearer {key['key']}"})
    assert status == 202, answer

    async def letters() -> list[outside.Json]:
        found = await system.console("GET", "/v1/dead-letters?reason=forbidden")
        return list(found["items"])

    [letter] = await waiting.until(letters, 30, "a dead letter")
    assert f"{key['id']} may not publish notifications of class alarms" in letter["detail"]


async def test_an_unknown_script_or_job_is_refused_and_the_jobs_are_listed(system: Trial) -> None:
    schedule = {"local": "2030-01-01T09:00:00", "timezone": "Europe/Berlin", "job": "monthly"}
    status, answer = await outside.send(system, outside.request("x", "user-0", script="nobody", schedule=schedule))
    assert status == 422
    assert {(error["pointer"], error["code"]) for error in answer["errors"]} == {
        ("/script", "unknown_script"), ("/schedule/job", "unknown_job"),
    }  # fmt: skip
    assert (await system.console("GET", "/v1/jobs"))["items"] == [{"name": "weekly"}]
    async with aiohttp.ClientSession() as stranger, stranger.get(system.endpoints["console"] + "/v1/jobs") as response:
        assert response.status == 401


async def test_a_job_is_called_with_its_schedule_when_that_is_due(system: Trial) -> None:
    name = named("Stock")
    local = (datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(seconds=3)).isoformat()
    schedule = {"local": local, "timezone": "Etc/UTC", "job": "weekly"}
    await outside.accepted(system, outside.request(name, "user-1", importance="info", schedule=schedule))
    inbox = await outside.inbox_of(system, "user-1")

    async def called() -> list[str]:
        items = await outside.inbox_items(system, inbox)
        return [item["description"] for item in items if item["name"] == f"Weekly: {name}"]

    assert await waiting.until(called, 40, "what the job asked for") == [f"{local} Etc/UTC"]


async def test_the_admins_get_one_mail_with_counts_and_failures_when_all_has_ended(system: Trial) -> None:
    gone = {"recipient": "robot", "channel": "push", "kind": "webhook",
            "address": f"{system.endpoints['mailbox']}/nowhere"}  # fmt: skip
    await system.console("POST", "/v1/endpoints", gone)
    name = named("Team news")
    sent = await outside.accepted(
        system,
        outside.request(
            name, "user-0", "user-1", "robot", "ghost", importance="info", class_key="alarms", completion_email=True
        ),
    )
    for admin in ("boss", "deputy"):
        assert await mailed(system, admin, name) == [f"Ended: {name}"]
    [mail] = await outside.mails(system, "boss@example.test", name)
    deliveries = await outside.ended(system, sent, 6)
    [failed] = [one for one in deliveries if one["state"] == "dead"]
    assert failed["recipient"] == "robot"
    assert "- push: 2 sent" in mail["text"]
    assert f"1 dead ({failed['reason']})" in mail["text"]
    assert "- email: 2 sent" in mail["text"]
    assert f"tocsin trace {sent}" in mail["text"]
    assert "robot" not in mail["text"], "an erasure would not find it there"
    assert await subjects(system, "user-2", name) == []
