"""What is written by the short way reads the same as what pydantic writes."""

import json
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.contract import codec, ids, messages, records
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel, Reason

ID = uuid.UUID("0192f3c4-0000-7000-8000-000000000001")
MOMENTS = [datetime(2026, 11, 22, 1, 2, 3, 4, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=timezone(timedelta(hours=11)))]


def delivery(at: datetime, recipient: str) -> messages.DeliveryRequested:
    return messages.DeliveryRequested(
        id=ID, at=at, tenant="acme", subject="notification", subject_id=ID, recipient=recipient, endpoint="email",
        channel=Channel.EMAIL, lane=Lane.BULK, attempt=3, accepted_at=at, expires_on=date.max,
    )  # fmt: skip


@pytest.mark.parametrize("at", MOMENTS)
@pytest.mark.parametrize("recipient", ["ada", 'A"da\\', "Zoë 💌", "line\u2028break"])
def test_messages_by_either_way_are_the_same(at: datetime, recipient: str) -> None:
    for message in (
        delivery(at, recipient),
        messages.NotificationEvent(
            id=ID, type="tocsin.notification.skipped.v1", subject=str(ID), time=at, tenant="acme",
            data={"recipient": recipient, "reason": Reason.NO_ADDRESS, "at": at, "id": ID, "parts": ("a", 1, None)},
        ),
    ):  # fmt: skip
        assert json.loads(message.encoded()) == json.loads(message.model_dump_json())


def test_an_event_made_without_its_model_is_what_the_model_says() -> None:
    record = records.event("skipped", "acme", ID, MOMENTS[0], {"reason": Reason.NO_ADDRESS}, "ada", "email")
    event = messages.NotificationEvent.model_validate_json(record.value or b"")
    assert event.id == ids.event(ID, "skipped", "ada", "email")
    assert json.loads(event.model_dump_json()) == json.loads(record.value or b"")


def test_a_hint_made_without_its_model_is_what_the_model_says() -> None:
    record = records.inbox_changed("acme", "ada", MOMENTS[1])
    hint = codec.decoded(record.value, messages.InboxChanged)
    assert (hint.recipient, hint.at) == ("ada", MOMENTS[1])
    assert json.loads(hint.model_dump_json(by_alias=True)).keys() == json.loads(record.value or b"").keys()


def test_an_event_may_tell_what_only_pydantic_can_write() -> None:
    detail: dict[str, Any] = {"raw": b"bytes"}
    record = records.event("failed", "acme", ID, MOMENTS[0], detail)
    assert json.loads(record.value or b"")["data"]["raw"] == "bytes"
