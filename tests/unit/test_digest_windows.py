"""How a window ends, when it is due, and what is done for items that no window waits for."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.digest import records, windows
from services.digest.windows import Alarms, Closed, Item, Stray, Window
from shared.contract import codec, messages
from shared.contract.importance import Lane
from shared.contract.outcomes import Reason

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
WINDOW = Window("acme", "ada", "enquiries", UUID(int=1), NOW - timedelta(minutes=15), NOW)
ITEM = Item(
    window_id=WINDOW.id,
    notification_id=UUID(int=2),
    expires_on=date(2026, 12, 8),
    lane=Lane.URGENT,
    accepted_at=NOW,
    expires_at=NOW + timedelta(seconds=1),
    is_gone=False,
    is_dismissed=False,
    is_completed=False,
    is_cancelled=False,
    is_unsubscribed=False,
    user_kind="user",
    has_address=True,
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({}, None, id="nothing speaks against it"),
        pytest.param({"expires_at": None}, None, id="an open action has no end"),
        pytest.param({"is_cancelled": True}, Reason.CANCELLED, id="cancelled"),
        pytest.param({"is_unsubscribed": True}, Reason.UNSUBSCRIBED, id="unsubscribed"),
        pytest.param({"expires_at": NOW}, Reason.EXPIRED, id="expired at this moment"),
        pytest.param({"is_gone": True, "expires_at": None}, Reason.EXPIRED, id="gone"),
        pytest.param({"is_dismissed": True}, Reason.DISMISSED, id="dismissed"),
        pytest.param({"is_completed": True}, Reason.COMPLETED, id="completed"),
        pytest.param({"user_kind": None, "has_address": False}, Reason.UNKNOWN_RECIPIENT, id="unknown"),
        pytest.param({"user_kind": "system"}, Reason.SYSTEM_USER, id="system user"),
        pytest.param({"has_address": False}, Reason.NO_ADDRESS, id="no address"),
        pytest.param({"is_dismissed": True, "is_cancelled": True}, Reason.CANCELLED, id="cancelled goes first"),
    ],
)
def test_why_an_item_is_left_out(change: dict[str, Any], reason: Reason | None) -> None:
    assert windows.why_left_out(dataclasses.replace(ITEM, **change), NOW) is reason


def test_every_window_ends_and_every_item_of_it_with_it() -> None:
    other = dataclasses.replace(WINDOW, id=UUID(int=3), recipient="grace")
    empty = dataclasses.replace(WINDOW, id=UUID(int=4), recipient="nobody")
    dismissed = dataclasses.replace(ITEM, window_id=other.id, is_dismissed=True)

    ended = windows.closed([WINDOW, other, empty], [ITEM, dismissed], NOW)

    assert ended == [
        Closed(WINDOW, (ITEM,), ()),
        Closed(other, (), ((dismissed, Reason.DISMISSED),)),
        Closed(empty, (), ()),
    ]


def test_only_a_window_with_members_becomes_a_delivery() -> None:
    closed = [Closed(WINDOW, (ITEM,), ()), Closed(dataclasses.replace(WINDOW, id=UUID(int=5)), (), ())]

    [record] = records.deliveries(closed, NOW)

    request = codec.decoded(record.value, messages.DeliveryRequested)
    assert record.topic == "deliveries.email.routine"
    assert (request.subject, request.subject_id, request.recipient, request.attempt) == ("digest", WINDOW.id, "ada", 1)
    assert request.expires_on == date(2026, 12, 8)


def test_each_item_of_a_window_is_told_of_once() -> None:
    left_out = dataclasses.replace(ITEM, notification_id=UUID(int=6))
    told = [
        messages.NotificationEvent.model_validate_json(record.value or b"")
        for record in records.events([Closed(WINDOW, (ITEM,), ((left_out, Reason.DISMISSED),))], NOW)
    ]

    assert [(event.type, event.subject) for event in told] == [
        ("tocsin.notification.digested.v1", str(ITEM.notification_id)),
        ("tocsin.notification.skipped.v1", str(left_out.notification_id)),
    ]
    assert (told[0].data["digest_id"], told[1].data["reason"]) == (str(WINDOW.id), "dismissed")


def test_strays_share_a_window_due_its_length_after_the_oldest_of_them() -> None:
    strays = [
        Stray("acme", "ada", "news", NOW - timedelta(minutes=1), {"window_seconds": 30}),
        Stray("acme", "ada", "news", NOW - timedelta(minutes=2), {"window_seconds": 30}),
        Stray("acme", "ada", "alarms", NOW, {}),
    ]

    opened = windows.opened_for(strays, 900, NOW)

    assert [(each.class_key, each.opened_at, each.due_at) for each in opened] == [
        ("alarms", NOW, NOW + timedelta(seconds=900)),
        ("news", NOW, NOW - timedelta(seconds=90)),
    ]
    assert len({each.id for each in opened}) == 2


@pytest.mark.parametrize("given_seconds", [0, -1, True, "60", 1.5, None, [60], 6 * 86_400, 2**63])
def test_a_senseless_window_length_is_the_default(given_seconds: object) -> None:
    assert windows.window_seconds({"window_seconds": given_seconds}, 900) == 900


def test_alarms_ring_soonest_first_until_they_are_forgotten() -> None:
    alarms = Alarms()
    for key, minutes in ((b"late", 3), (b"soon", 1), (b"later", 9)):
        alarms.set(key, NOW + timedelta(minutes=minutes))

    assert list(alarms.due(NOW, 10)) == []
    assert list(alarms.due(NOW + timedelta(minutes=5), 10)) == [b"soon", b"late"]
    assert list(alarms.due(NOW + timedelta(minutes=5), 1)) == [b"soon"]
    alarms.forget([b"soon"])
    assert list(alarms.due(NOW + timedelta(minutes=5), 10)) == [b"late"]
    assert len(alarms) == 2


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 5), st.integers(0, 20)),
            st.tuples(st.just("forget"), st.integers(0, 5), st.just(0)),
            st.tuples(st.just("due"), st.just(0), st.integers(0, 20)),
        )
    )
)
def test_alarms_are_those_set_last_and_not_forgotten(steps: list[tuple[str, int, int]]) -> None:
    alarms, model = Alarms(), dict[bytes, int]()
    for step, number, minutes in steps:
        key = str(number).encode()
        if step == "set":
            alarms.set(key, NOW + timedelta(minutes=minutes))
            model[key] = minutes
        elif step == "forget":
            alarms.forget([key])
            model.pop(key, None)
        else:
            expected = {key for key, at in model.items() if at <= minutes}
            rung = list(alarms.due(NOW + timedelta(minutes=minutes), 100))
            assert set(rung) == expected
            assert len(rung) == len(expected)
            assert [model[key] for key in rung] == sorted(model[key] for key in rung)
