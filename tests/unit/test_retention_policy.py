"""When retention is behind, and what it tells."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.retention import policy
from services.retention.policy import Expired, Unfinished
from shared.contract import messages

NOW = datetime(2026, 12, 8, 0, 30, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("oldest_day", "oldest_removal", "seconds"),
    [
        pytest.param(None, None, 0, id="nothing is old"),
        pytest.param(date(2026, 12, 7), None, 1_800, id="a day is over at the midnight after it"),
        pytest.param(date(2026, 12, 5), None, 2 * 86_400 + 1_800, id="days count whole"),
        pytest.param(None, NOW - timedelta(seconds=5), 5, id="a removal is due at its moment"),
        pytest.param(date(2026, 12, 7), NOW - timedelta(hours=1), 3_600, id="the older of both"),
        pytest.param(None, NOW + timedelta(hours=1), 0, id="what is still to come does not count"),
    ],
)
def test_behind_is_how_long_the_oldest_is_overdue(
    oldest_day: date | None, oldest_removal: datetime | None, seconds: float
) -> None:
    assert policy.behind_seconds(oldest_day, oldest_removal, NOW) == seconds


def test_today_is_the_day_in_utc_wherever_the_clock_stands() -> None:
    sydney = NOW.astimezone(tz=datetime.strptime("+1100", "%z").tzinfo)

    assert policy.cutoffs(sydney).today == date(2026, 12, 8)


def test_subjects_go_before_what_is_written_about_them() -> None:
    subjects, about = {"notifications", "digests", "inbox_items"}, {"deliveries", "attempts", "timeline"}

    assert set(policy.DROP_ORDER[: len(subjects)]) == subjects
    assert about < set(policy.DROP_ORDER)


def test_the_end_of_a_notification_is_one_event_with_the_same_id_whenever_it_is_told() -> None:
    expired = [Expired("acme", ONE), Expired("acme", TWO)]

    first, again = (policy.expired_events(expired, at) for at in (NOW, NOW + timedelta(hours=1)))

    told = [messages.NotificationEvent.model_validate_json(record.value or b"") for record in first]
    assert [event.subject for event in told] == [str(ONE), str(TWO)]
    assert {event.type for event in told} == {"tocsin.notification.expired.v1"}
    repeated = [messages.NotificationEvent.model_validate_json(record.value or b"").id for record in again]
    assert [event.id for event in told] == repeated


def test_an_unfinished_delivery_is_told_of_each_notification_it_was_to_tell_of() -> None:
    mail = Unfinished("acme", UUID(int=9), "ada", "email", "email", UUID(int=8), (ONE, TWO))
    push = Unfinished("acme", UUID(int=7), "ada", "some-endpoint", "push", None, (ONE,))

    records = policy.unfinished_events([mail, push], NOW)

    told = [messages.NotificationEvent.model_validate_json(record.value or b"") for record in records]
    assert [(event.subject, event.data["channel"], event.data.get("digest_id")) for event in told] == [
        (str(ONE), "email", str(UUID(int=8))),
        (str(TWO), "email", str(UUID(int=8))),
        (str(ONE), "push", None),
    ]
    assert {event.type for event in told} == {"tocsin.notification.skipped.v1"}
    assert {event.data["reason"] for event in told} == {"expired"}
    assert len({event.id for event in told}) == 3
