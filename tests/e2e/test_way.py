"""The way of a notification from either door to where it reaches people, through every real part."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from standardwebhooks.webhooks import Webhook

from deploy.local.trial import TENANT, Trial
from tests.support import mail_reports, outside, waiting


async def test_an_alarm_reaches_webhook_mail_and_inbox_and_its_trace_says_so(system: Trial) -> None:
    sent = await outside.accepted(
        system, outside.request("Boiler 7 is too hot", "user-0", importance="danger", class_key="alarms")
    )
    deliveries = await outside.ended(system, sent, 2)
    assert {(one["channel"], one["state"]) for one in deliveries} == {("push", "sent"), ("email", "sent")}
    assert len(await outside.hooks(system, "user-0", sent)) == 1
    mails = await outside.mails(system, "user-0@example.test", "About Boiler 7 is too hot")
    assert len(mails) == 1
    assert mails[0]["html"]
    item = next(
        item for item in await outside.inbox_items(system, await outside.inbox_of(system, "user-0"))
        if item["id"] == sent
    )  # fmt: skip
    assert (item["importance"], item["css_class"], item["state"]) == ("danger", "bg-danger", "no_action")


async def test_a_webhook_is_signed_with_the_secret_shown_once(system: Trial) -> None:
    user = f"signed-{uuid.uuid4().hex[:8]}"
    await system.console("PUT", f"/v1/users/{user}", {"id": user})
    address = f"{system.endpoints['mailbox']}/hooks/{user}"
    webhook = {"recipient": user, "channel": "push", "kind": "webhook", "address": address}
    endpoint = await system.console("POST", "/v1/endpoints", webhook)

    sent = await outside.accepted(system, outside.request("Signed", user, importance="success"))
    await outside.ended(system, sent, 1)

    [hook] = await outside.hooks(system, user, sent)
    headers = {name.lower(): value for name, value in dict(hook["headers"]).items()}
    assert Webhook(endpoint["secret"]).verify(hook["raw"], headers)
    assert headers["webhook-id"] == hook["body"]["delivery_id"]
    assert hook["body"]["type"] == "tocsin.delivery.v1"


async def test_a_bounce_ends_mail_to_the_address_that_was_written_to_and_to_no_other(system: Trial) -> None:
    user = f"bounced-{uuid.uuid4().hex[:8]}"
    about = {"id": user, "email": f"{user}@example.test"}
    await system.console("PUT", f"/v1/users/{user}", about)
    urgent = {"importance": "danger", "class_key": "alarms", "channels": ["email"]}
    sent = await outside.accepted(system, outside.request("First", user, **urgent))
    await outside.ended(system, sent, 1)
    await system.console("PUT", f"/v1/users/{user}", about)
    [mail] = await outside.mails(system, about["email"], "About First")
    report = mail_reports.bounce(mail["message_id"].strip("<>").partition("@")[0], address="user-2@example.test")
    url = system.endpoints["console"] + "/v1/mail/reports"
    async with system.http.post(url, data=report, headers={"content-type": "message/rfc822"}) as response:
        assert await response.json() == {"suppressed": 1, "noted": 0, "unmatched": 0}
    again = await outside.accepted(system, outside.request("Second", user, "user-2", **urgent))
    deliveries = await outside.ended(system, again, 2)
    assert {(each["recipient"], each["state"], each["reason"]) for each in deliveries} == {
        (user, "skipped", "suppressed"), ("user-2", "sent", None),
    }  # fmt: skip


async def test_notifications_of_a_class_come_as_one_mail_after_the_window(system: Trial) -> None:
    await system.console("PUT", "/v1/classes/news", {"name": "News", "options": {"window_seconds": 2}})
    names = [f"Story {uuid.uuid4().hex[:6]}" for _ in range(3)]
    sent = [
        await outside.accepted(
            system,
            outside.request(name, "user-1", importance="info", class_key="news", channels=["inbox", "email"]),
        )
        for name in names
    ]

    async def digest() -> list[outside.Json]:
        return await outside.mails(system, "user-1@example.test", names[0])

    [mail] = await waiting.until(digest, 40, "the digest mail")
    assert all(name in mail["text"] and name in mail["html"] for name in names)
    for notification in sent:
        [delivery] = await outside.ended(system, notification, 1)
        assert (delivery["state"], delivery["channel"]) == ("sent", "email")
        assert delivery["digest_id"]


async def test_a_german_recipients_mails_read_german(system: Trial) -> None:
    address = "konrad@example.test"
    await system.console("PUT", "/v1/users/konrad", {"email": address, "first_name": "Konrad", "locale": "de-DE"})
    await system.console("PUT", "/v1/classes/depesche", {"name": "Depesche", "options": {"window_seconds": 1}})
    for name, class_key in (("Alarm", "alarms"), ("Neues", "depesche")):
        fields = {"importance": "warning", "class_key": class_key, "channels": ["inbox", "email"]}
        await outside.accepted(system, outside.request(name, "konrad", **fields))

    async def both() -> list[outside.Json] | None:
        found = await outside.mails(system, address, "Guten Tag Konrad,")
        return found if len(found) == 2 else None

    mails = await waiting.until(both, 40, "an immediate mail and a digest")
    assert {mail["subject"] for mail in mails} == {"Alarm", "Depesche: 1 Benachrichtigung"}
    for mail in mails:
        assert "Warnung · " in mail["text"]
        assert '<html lang="de" dir="ltr">' in mail["html"]


async def test_what_was_dismissed_before_the_window_ended_is_not_in_the_mail(system: Trial) -> None:
    await system.console("PUT", "/v1/classes/slow-news", {"name": "Slow news", "options": {"window_seconds": 4}})
    fields = {"importance": "info", "class_key": "slow-news", "channels": ["inbox", "email"]}
    kept, dropped = f"Kept {uuid.uuid4().hex[:6]}", f"Dropped {uuid.uuid4().hex[:6]}"
    await outside.accepted(system, outside.request(kept, "user-2", **fields))
    dismissed = await outside.accepted(system, outside.request(dropped, "user-2", **fields))
    headers = await outside.inbox_of(system, "user-2")

    async def dismissal() -> bool:
        url = f"{system.endpoints['inbox']}/v1/inbox/{dismissed}/dismiss"
        async with system.http.post(url, headers=headers) as response:
            return response.status == 200

    await waiting.until(dismissal, 3, "the item to be there and dismissed")

    async def digest() -> list[outside.Json]:
        return await outside.mails(system, "user-2@example.test", kept)

    [mail] = await waiting.until(digest, 40, "the digest mail")
    assert dropped not in mail["text"]
    [delivery] = await outside.ended(system, dismissed, 1)
    assert (delivery["state"], delivery["reason"]) == ("skipped", "dismissed")


async def test_importance_default_reaches_the_inbox_only_and_the_trace_says_why(system: Trial) -> None:
    sent = await outside.accepted(system, outside.request("By the way", "user-3"))
    deliveries = await outside.ended(system, sent, 1)
    assert {(one["state"], one["reason"]) for one in deliveries} == {("skipped", "send_not_set")}
    headers = await outside.inbox_of(system, "user-3")
    assert sent in {item["id"] for item in await outside.inbox_items(system, headers)}
    assert await outside.hooks(system, "user-3", sent) == []


async def test_an_unknown_recipient_is_skipped_with_its_reason(system: Trial) -> None:
    sent = await outside.accepted(system, outside.request("Who?", "nobody-here", importance="danger"))
    deliveries = await outside.ended(system, sent, 1)
    assert {(one["recipient"], one["state"], one["reason"]) for one in deliveries} == {
        ("nobody-here", "skipped", "unknown_recipient")
    }


async def produced(system: Trial, key: str, *bodies: outside.Json) -> list[tuple[int, int]]:
    """Write requests with a key to the topic, one after another; the partition and offset of each."""
    producer = AIOKafkaProducer(bootstrap_servers=system.endpoints["kafka"])
    await producer.start()
    try:
        headers = [("tenant", TENANT.encode()), ("idempotency-key", key.encode())]
        written = [
            await producer.send_and_wait("notifications.requests", json.dumps(body).encode(), headers=headers)
            for body in bodies
        ]
    finally:
        await producer.stop()
    return [(one.partition, one.offset) for one in written]


async def test_another_body_under_a_used_key_is_answered_with_the_position_of_its_request(system: Trial) -> None:
    reader = AIOKafkaConsumer("notifications.rejected", bootstrap_servers=system.endpoints["kafka"])
    await reader.start()
    try:
        request = outside.request("Once", "user-4", importance="warning")
        _, second = await produced(system, f"topic-{uuid.uuid4()}", request, {**request, "name": "Another"})
        async with asyncio.timeout(30):
            answer = json.loads((await reader.getone()).value)
    finally:
        await reader.stop()
    assert [error["code"] for error in answer["errors"]] == ["key_conflict"]
    assert (answer["topic"], (answer["partition"], answer["offset"])) == ("notifications.requests", second)


async def test_a_record_on_the_topic_goes_the_same_way(system: Trial) -> None:
    request = outside.request("From the topic", "user-4", importance="warning", class_key="alarms")
    await produced(system, f"topic-{uuid.uuid4()}", request, request)

    async def arrived() -> list[outside.Json]:
        async with system.http.get(f"{system.endpoints['mailbox']}/api/hooks/user-4") as response:
            return [hook for hook in await response.json() if "From the topic" in str(hook["body"])]

    assert len(await waiting.until(arrived, 30, "the webhook")) == 1
    last = await outside.accepted(system, outside.request("A later one", "user-4", importance="warning"))
    await outside.deliveries_when(system, last, lambda seen: any(one["state"] == "sent" for one in seen))
    assert len(await arrived()) == 1, "the duplicate was delivered too"


async def test_the_same_key_and_body_is_the_same_notification_and_another_body_is_refused(system: Trial) -> None:
    body = outside.request("Once", "user-5", importance="warning", idempotency_key=str(uuid.uuid4()))
    first = await outside.send(system, body)
    assert await outside.send(system, body) == first
    status, answer = await outside.send(system, {**body, "description": "Another"})
    assert status == 422
    assert answer["errors"][0]["code"] == "key_conflict"
    sent = str(first[1]["notification_id"])
    await outside.deliveries_when(system, sent, lambda seen: any(one["state"] == "sent" for one in seen))
    assert len(await outside.hooks(system, "user-5", sent)) == 1


async def test_a_scheduled_notification_waits_for_its_time(system: Trial) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    schedule = {"local": due.strftime("%Y-%m-%dT%H:%M:%S"), "timezone": "Etc/UTC"}
    body = outside.request("Later", "user-0", importance="warning", class_key="alarms", schedule=schedule)
    status, answer = await outside.send(system, body)
    assert (status, answer["status"]) == (202, "scheduled")
    assert isinstance(answer["schedule_id"], int)
    await outside.ended(system, answer["notification_id"], 2)
    [hook] = await outside.hooks(system, "user-0", answer["notification_id"])
    assert datetime.fromisoformat(hook["received_at"]) >= due


async def test_a_danger_arrives_while_a_large_blast_is_still_under_way(system: Trial) -> None:
    everyone = [f"user-{number}" for number in range(6)] + [f"ghost-{number}" for number in range(3_000)]
    blast = await outside.accepted(system, outside.request("To everyone", *everyone, importance="info"))
    danger = await outside.accepted(system, outside.request("Fire", "user-3", importance="danger"))
    await outside.deliveries_when(system, danger, lambda seen: any(one["state"] == "sent" for one in seen))
    for number in range(6):

        async def arrived(user: str = f"user-{number}") -> list[outside.Json]:
            return await outside.hooks(system, user, blast)

        assert len(await waiting.until(arrived, 60, f"the blast at user-{number}")) == 1
