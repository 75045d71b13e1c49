"""Traces explain every delivery: made, skipped, still to come, or why the notification is not there any more."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.console.routes import traces
from tests.support import rows
from tests.support.consoles import Console

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


async def trace(console: Console, notification: uuid.UUID, query: str = "") -> Any:
    answer = await console.ask("GET", f"/v1/traces/{notification}{query}")
    assert answer.status == 200
    return answer.json


async def test_a_trace_shows_each_delivery_with_its_attempts(console: Console) -> None:
    made = await rows.notification(console.owner, tenant=console.tenant)
    endpoint = uuid.uuid4()
    await rows.item(console.owner, made, push_endpoints=[endpoint])
    sent = await rows.delivery(
        console.owner, made, endpoint=str(endpoint), state="sent", reason=None, due_at=None, ended_at=NOW
    )
    for number, outcome, reason in ((1, "retry", "timeout"), (2, "delivered", None)):
        attempt = {"tenant": console.tenant, "delivery_id": sent["id"], "expires_on": sent["expires_on"],
                   "attempt": number, "at": NOW, "outcome": outcome, "reason": reason, "seconds": 0.5}  # fmt: skip
        await rows.insert(console.owner, "attempts", attempt)
    story = {"tenant": console.tenant, "notification_id": made["id"], "expires_on": made["expires_on"],
             "at": made["accepted_at"], "event": "accepted", "detail": {"door": "http"}}  # fmt: skip
    await rows.insert(console.owner, "timeline", story)
    found = await trace(console, made["id"])
    assert (found["notification_id"], found["state"], found["next"]) == (str(made["id"]), "ended", None)
    assert [(one["event"], one["detail"]) for one in found["timeline"]] == [("accepted", {"door": "http"})]
    [delivery] = found["deliveries"]
    assert (delivery["recipient"], delivery["channel"], delivery["endpoint"], delivery["state"]) == (
        "ada", "push", str(endpoint), "sent",
    )  # fmt: skip
    assert [(one["outcome"], one["reason"], one["seconds"]) for one in delivery["attempts"]] == [
        ("retry", "timeout", 0.5),
        ("delivered", None, 0.5),
    ]


async def test_a_timeline_tells_of_the_notification_once_and_of_the_recipients_of_each_page(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "MAX_RECIPIENTS", 1)
    made = await rows.notification(console.owner, tenant=console.tenant)
    for recipient in ("ada", "grace"):
        await rows.item(console.owner, made, recipient=recipient)
        await happened(console, made, "script_done", recipient=recipient)
    await happened(console, made, "completed", recipient="grace")
    first = await trace(console, made["id"])
    second = await trace(console, made["id"], f"?cursor={first['next']}")
    assert (events(first), events(second)) == (
        ["accepted", "script_done ada", "completed grace"],
        ["script_done grace"],
    )
    assert events(await trace(console, made["id"], "?recipient=grace")) == [
        "accepted", "script_done grace", "completed grace",
    ]  # fmt: skip


async def happened(console: Console, made: dict[str, Any], event: str, **detail: str) -> None:
    story = {"tenant": console.tenant, "notification_id": made["id"], "expires_on": made["expires_on"],
             "at": made["accepted_at"] + timedelta(seconds=1), "event": event, "detail": detail}  # fmt: skip
    await rows.insert(console.owner, "timeline", story)


def events(found: Any) -> list[str]:
    return [f"{one['event']} {one['detail'].get('recipient', '')}".strip() for one in found["timeline"]]


async def test_a_trace_shows_what_was_skipped_and_what_is_still_to_come(console: Console) -> None:
    made = await rows.notification(console.owner, tenant=console.tenant)
    await rows.item(console.owner, made, "ada", push_endpoints=[uuid.uuid4()], email_plan="immediate")
    await rows.item(console.owner, made, "grace", email_plan="digest")
    due = NOW + timedelta(minutes=15)
    window = {"tenant": console.tenant, "recipient": "grace", "class_key": made["class_key"], "id": uuid.uuid4(),
              "opened_at": NOW, "due_at": due}  # fmt: skip
    await rows.insert(console.owner, "windows", window)
    await rows.item(console.owner, made, "zoe", hidden=True)
    skipped = {"recipient": "zoe", "state": "skipped", "reason": "unknown_recipient", "due_at": None}
    await rows.delivery(console.owner, made, **skipped, channel="push", endpoint="push")
    found = await trace(console, made["id"])
    assert found["state"] == "in_progress"
    assert [(one["recipient"], one["channel"], one["state"], one["reason"]) for one in found["deliveries"]] == [
        ("ada", "email", "pending", "not_claimed_yet"),
        ("ada", "push", "pending", "not_claimed_yet"),
        ("grace", "email", "pending", "window_open"),
        ("zoe", "push", "skipped", "unknown_recipient"),
    ]
    assert datetime.fromisoformat(found["deliveries"][2]["due_at"]) == due
    only = await trace(console, made["id"], "?recipient=zoe")
    assert [one["recipient"] for one in only["deliveries"]] == ["zoe"]


async def test_a_trace_follows_a_notification_into_its_digest(console: Console) -> None:
    made = await rows.notification(console.owner, tenant=console.tenant)
    digest = {"tenant": console.tenant, "id": uuid.uuid4(), "expires_on": NOW.date() + timedelta(days=7),
              "lane": "routine"}  # fmt: skip
    await rows.item(console.owner, made, "ada", email_plan="digest", digest_id=digest["id"])
    mail = {"subject": "digest", "channel": "email", "endpoint": "email"}
    await rows.delivery(console.owner, digest, **mail, state="dead", reason="destination_refused", due_at=None)
    await rows.delivery(console.owner, digest, **mail, recipient="grace")
    found = await trace(console, made["id"])
    assert [(one["recipient"], one["state"], one["reason"], one["digest_id"]) for one in found["deliveries"]] == [
        ("ada", "dead", "destination_refused", str(digest["id"]))
    ]


async def test_a_waiting_schedule_is_traced_before_it_has_any_row_of_its_own(console: Console) -> None:
    notification = uuid.uuid4()
    await rows.schedule(console.owner, console.tenant, notification, 71)
    found = await trace(console, notification)
    assert (found["state"], found["deliveries"]) == ("scheduled", [])
    assert [one["event"] for one in found["timeline"]] == ["accepted", "scheduled"]
    assert (await console.ask("DELETE", "/v1/schedules/71")).json["state"] == "cancelled"
    assert (await trace(console, notification))["state"] == "cancelled"


async def test_what_is_not_taken_in_yet_is_accepted_and_what_was_removed_expired(console: Console) -> None:
    for taken_in_at, state in ((None, "accepted"), (NOW, "expired")):
        notification = uuid.uuid4()
        identity = {"id": notification, "tenant": console.tenant, "accepted_at": NOW, "taken_in_at": taken_in_at,
                    "expires_on": NOW.date()}  # fmt: skip
        await rows.insert(console.owner, "identities", identity)
        assert (await trace(console, notification))["state"] == state
    assert (await console.ask("GET", f"/v1/traces/{uuid.uuid4()}")).status == 404


@pytest.mark.parametrize(
    ("values", "state"),
    [({"cancelled_at": NOW}, "cancelled"), ({"expires_at": NOW - timedelta(hours=1)}, "expired")],
)
async def test_a_notification_that_is_over_says_so(console: Console, values: dict[str, Any], state: str) -> None:
    made = await rows.notification(console.owner, tenant=console.tenant, **values)
    assert (await trace(console, made["id"]))["state"] == state


async def test_a_blast_under_way_is_in_progress(console: Console) -> None:
    made = await rows.notification(console.owner, tenant=console.tenant, lane="bulk")
    fanout = {"notification_id": made["id"], "tenant": console.tenant, "lane": "bulk",
              "expires_on": made["expires_on"], "recipients": ["ada"], "expected": 1, "created_at": NOW,
              "turned_at": NOW}  # fmt: skip
    await rows.insert(console.owner, "fanouts", fanout)
    assert (await trace(console, made["id"]))["state"] == "in_progress"
