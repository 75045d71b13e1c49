"""What a trace says, from what the record knows."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.console import tracing
from services.console.store.traces import Attempt, Delivery, Item, Moment, Story
from services.console.tracing import Known, TracedDelivery, TraceState

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
TODAY = NOW.date()


def story(**changed: Any) -> Story:
    standard: dict[str, Any] = {
        "accepted_at": NOW, "taken_in_at": NOW, "schedule_id": None, "schedule_state": None, "due_at": None,
        "expires_on": TODAY, "is_cancelled": False, "is_expired": False, "is_fanning_out": False,
        "is_under_way": False,
    }  # fmt: skip
    return Story(**{**standard, **changed})


def item(**changed: Any) -> Item:
    standard: dict[str, Any] = {
        "recipient": "ada", "push_endpoints": [], "email_plan": "none", "digest_id": None, "email_skipped": None,
        "window_due_at": None,
    }  # fmt: skip
    return Item(**{**standard, **changed})


def delivery(**changed: Any) -> Delivery:
    standard: dict[str, Any] = {
        "id": uuid.uuid4(), "subject_id": uuid.uuid4(), "recipient": "ada", "channel": "email", "endpoint": "email",
        "state": "sent", "reason": None, "due_at": None,
    }  # fmt: skip
    return Delivery(**{**standard, **changed})


def shown(known: Known) -> list[tuple[str, str, str | None]]:
    return [(one.channel, one.state, one.reason) for one in tracing.deliveries_of(known)]


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"expires_on": None, "taken_in_at": None}, TraceState.ACCEPTED),
        ({"expires_on": None, "taken_in_at": None, "schedule_state": "pending"}, TraceState.SCHEDULED),
        ({"expires_on": None, "taken_in_at": None, "schedule_state": "cancelled"}, TraceState.CANCELLED),
        ({"expires_on": None, "schedule_state": "released"}, TraceState.EXPIRED),
        ({"expires_on": None}, TraceState.EXPIRED),
        ({"is_cancelled": True, "is_under_way": True}, TraceState.CANCELLED),
        ({"is_expired": True, "is_under_way": True}, TraceState.EXPIRED),
        ({"is_fanning_out": True}, TraceState.IN_PROGRESS),
        ({"is_under_way": True}, TraceState.IN_PROGRESS),
        ({}, TraceState.ENDED),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else str(value),
)
def test_a_notification_stands_where_the_record_says(changed: dict[str, Any], state: TraceState) -> None:
    assert tracing.state_of(story(**changed), []) is state


@pytest.mark.parametrize(("state", "ended"), [("pending", False), ("leased", False), ("retry", False), ("sent", True)])
def test_a_notification_has_ended_when_its_deliveries_have(state: str, *, ended: bool) -> None:
    one = TracedDelivery("ada", "push", "e", state, None)
    assert (tracing.state_of(story(), [one]) is TraceState.ENDED) is ended


def test_what_was_planned_and_not_claimed_is_pending() -> None:
    known = Known([item(push_endpoints=[uuid.uuid4()], email_plan="immediate")], [], [], {})
    assert shown(known) == [("email", "pending", "not_claimed_yet"), ("push", "pending", "not_claimed_yet")]


def test_what_was_claimed_is_shown_once_with_its_attempts() -> None:
    endpoint = uuid.uuid4()
    made = delivery(channel="push", endpoint=str(endpoint))
    attempt = Attempt(NOW, "delivered", None, 0.1, None)
    known = Known([item(push_endpoints=[endpoint])], [made], [], {made.id: [attempt]})
    [one] = tracing.deliveries_of(known)
    assert (one.delivery_id, one.state, one.attempts) == (made.id, "sent", [attempt])


def test_an_open_window_says_when_its_mail_is_due() -> None:
    due = NOW + timedelta(minutes=15)
    [one] = tracing.deliveries_of(Known([item(email_plan="digest", window_due_at=due)], [], [], {}))
    assert (one.state, one.reason, one.due_at) == ("pending", "window_open", due)


def test_a_digests_mail_is_shown_for_each_notification_in_it() -> None:
    mail = delivery(state="retry", reason="timeout", due_at=NOW)
    known = Known([item(email_plan="digest", digest_id=mail.subject_id)], [], [mail], {})
    [one] = tracing.deliveries_of(known)
    assert (one.state, one.reason, one.digest_id, one.delivery_id) == ("retry", "timeout", mail.subject_id, mail.id)


def test_what_a_digest_left_out_is_skipped_with_its_reason() -> None:
    known = Known([item(email_plan="digest", email_skipped="dismissed")], [], [], {})
    assert shown(known) == [("email", "skipped", "dismissed")]


def test_a_skip_with_a_row_is_not_told_twice() -> None:
    known = Known([item(email_plan="digest", email_skipped="dismissed")], [delivery(state="skipped")], [], {})
    assert shown(known) == [("email", "skipped", None)]


def test_a_timeline_is_in_order_and_tells_of_the_schedule() -> None:
    scheduled = story(schedule_id=7, due_at=NOW + timedelta(hours=1))
    moments = [Moment(NOW + timedelta(hours=1), "released", {}), Moment(NOW, "accepted", {"door": "http"})]
    told = [(moment.event, moment.detail) for moment in tracing.timeline_of(scheduled, moments)]
    assert told == [
        ("accepted", {"door": "http"}), ("scheduled", {"schedule_id": 7, "due_at": scheduled.due_at}), ("released", {}),
    ]  # fmt: skip
