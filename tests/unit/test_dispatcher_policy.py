"""What a notification may do, how long it lives, and what is dropped before anybody is looked at."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from services.dispatcher import pipeline, policy
from services.dispatcher.policy import Configured, Lifetime, Plan, Rules
from services.dispatcher.stages import Arrival, Dropped, ScheduleState
from shared.contract.importance import Importance, ImportanceOptions, Lane
from shared.contract.messages import NEVER
from shared.contract.outcomes import EmailPlan, Reason
from shared.contract.template_params import TemplateMail
from tests.support.notifications import accepted

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
RULES = Rules(900, 10, 2_000, 100)
NOTHING = Configured({}, {})


def plan(configured: Configured = NOTHING, **fields: Any) -> Plan:
    return policy.plan_of(accepted(**fields), configured, RULES, NOW)


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        pytest.param({}, {"a": 1}, {"a": 1}, id="own alone"),
        pytest.param({"a": 1}, {}, {"a": 1}, id="base alone"),
        pytest.param({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}, id="own goes before"),
        pytest.param({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}, id="objects within"),
        pytest.param({"a": {"x": 1}}, {"a": 2}, {"a": 2}, id="a value replaces an object"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="lists are values"),
    ],
)
def test_class_options_are_extended_and_overridden(
    base: dict[str, Any], own: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert policy.overridden(base, own) == expected


@pytest.mark.parametrize(
    ("options", "email", "window_seconds"),
    [
        pytest.param({}, EmailPlan.DIGEST, 900, id="a digest after the default window"),
        pytest.param({"email": "immediate"}, EmailPlan.IMMEDIATE, 900, id="at once"),
        pytest.param({"email": "none"}, EmailPlan.NONE, 900, id="no mail"),
        pytest.param({"email": {"to": "x"}, "window_seconds": "5"}, EmailPlan.DIGEST, 900, id="other meanings"),
        pytest.param({"window_seconds": 5}, EmailPlan.DIGEST, 5, id="its own window"),
        pytest.param({"window_seconds": True}, EmailPlan.DIGEST, 900, id="true is no number of seconds"),
        pytest.param({"window_seconds": 0}, EmailPlan.DIGEST, 900, id="no window at all"),
    ],
)
def test_options_say_when_mail_goes_out(options: dict[str, Any], email: EmailPlan, window_seconds: int) -> None:
    found = plan(Configured({("acme", "general"): options}, {})).subject.policy
    assert (found.email, found.window_seconds) == (email, window_seconds)


def test_a_mail_of_its_own_goes_out_at_once_whatever_class_and_script_say() -> None:
    mail = TemplateMail(template="t", subject="s")
    for options in ({"email": "none"}, {"email": "digest"}):
        found = plan(Configured({("acme", "general"): options}, {}), mail=mail, script="own")
        assert found.subject.policy.email is EmailPlan.IMMEDIATE
        assert found.options["email"] == "immediate", "a replay reads it from there"


def test_an_importance_without_send_tells_only_the_inbox_unless_the_tenant_says_otherwise() -> None:
    told = Configured({}, {("acme", "default"): ImportanceOptions(7, "", 6, send=True)})
    assert not plan(importance=Importance.DEFAULT).subject.policy.send
    assert plan(told, importance=Importance.DEFAULT).subject.policy.send


AFTER_A_WEEK = NOW + timedelta(days=7)
SOON = NOW + timedelta(hours=1)
LAST = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-11)))
FAR = NOW + timedelta(days=60)


@pytest.mark.parametrize(
    ("retention_days", "fields", "lifetime", "identity_until"),
    [
        pytest.param(7, {}, Lifetime(date(2026, 11, 29), AFTER_A_WEEK, None), date(2026, 12, 6), id="its retention"),
        pytest.param(7, {"expires_at": SOON}, Lifetime(date(2026, 11, 23), SOON, None), date(2026, 11, 30),
                     id="its own end, if sooner"),
        pytest.param(7, {"expires_at": FAR}, Lifetime(date(2026, 11, 29), AFTER_A_WEEK, None), date(2026, 12, 6),
                     id="never longer than its retention"),
        pytest.param(60, {}, Lifetime(NEVER, FAR, FAR), date(2027, 1, 28), id="beyond the partitions"),
        pytest.param(7, {"requires_action": True}, Lifetime(NEVER, None, None), NEVER, id="an open action"),
        pytest.param(7, {"requires_action": True, "expires_at": SOON}, Lifetime(NEVER, SOON, SOON), date(2026, 11, 30),
                     id="an open action with an end of its own"),
        pytest.param(7, {"requires_action": True, "expires_at": LAST}, Lifetime(NEVER, LAST, LAST), NEVER,
                     id="an open action until the end of time"),
        pytest.param(7, {"expires_at": NOW - timedelta(days=9)},
                     Lifetime(date(2026, 11, 22), NOW - timedelta(days=9), None), date(2026, 11, 29),
                     id="past its end: a day that has a partition"),
    ],
)  # fmt: skip
def test_a_notification_lives_as_long_as_its_importance_and_its_own_words_say(
    retention_days: int, fields: dict[str, Any], lifetime: Lifetime, identity_until: date
) -> None:
    kept = Configured({}, {("acme", "info"): ImportanceOptions(retention_days, "", 5, send=True)})
    found = plan(kept, **fields)
    assert (found.subject.lifetime, found.identity_until) == (lifetime, identity_until)


@pytest.mark.parametrize(
    ("lane", "recipients", "fans_out", "continues_in"),
    [
        (Lane.ROUTINE, 10, False, Lane.ROUTINE),
        (Lane.ROUTINE, 11, True, Lane.BULK),
        (Lane.URGENT, 11, True, Lane.URGENT),
        (Lane.BULK, 11, True, Lane.BULK),
    ],
)
def test_routine_work_for_very_many_continues_in_bulk(
    lane: Lane, recipients: int, *, fans_out: bool, continues_in: Lane
) -> None:
    found = plan(lane=lane, recipients=tuple(f"u{number}" for number in range(recipients)))
    assert (found.fans_out, found.subject.lane) == (fans_out, continues_in)


@pytest.mark.parametrize(
    ("schedule", "expires_at", "reason"),
    [
        pytest.param(None, None, None, id="never scheduled"),
        pytest.param(ScheduleState.PENDING, None, None, id="due"),
        pytest.param(ScheduleState.RELEASED, None, None, id="released before"),
        pytest.param(ScheduleState.CANCELLED, None, Reason.CANCELLED, id="cancelled"),
        pytest.param(None, NOW, Reason.EXPIRED, id="at its end"),
        pytest.param(ScheduleState.CANCELLED, NOW, Reason.CANCELLED, id="cancelled before it expired"),
    ],
)
def test_what_is_cancelled_or_expired_goes_no_further(
    schedule: ScheduleState | None, expires_at: datetime | None, reason: Reason | None
) -> None:
    result = pipeline.admitted(Arrival(plan(expires_at=expires_at), schedule, NOW))
    assert (result.reason if isinstance(result, Dropped) else None) == reason
