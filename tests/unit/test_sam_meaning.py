"""What a sendNotification asks for, from its body and what the directory says."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.dialects.sam import meaning, roles
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.meaning import Facts, When
from services.ingest.dialects.sam.roles import Sender
from tests.unit.test_sam_body import SCHEDULE, read, sent

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
AT_ONCE = When(NOW, None)


def body(*kind: Any, **fields: Any) -> SendNotification:
    found = read(sent(*kind, **fields))
    assert isinstance(found, SendNotification)
    return found


@pytest.mark.parametrize(
    ("message", "name"),
    [
        pytest.param("One line", "One line", id="one line"),
        pytest.param("\n \nSecond\nthird", "Second", id="the first line that says something"),
        pytest.param("a\tb  c", "a b c", id="spaces"),
        pytest.param(" \n ", "Notification", id="nothing"),
        pytest.param("x" * 300, "x" * 254 + "…", id="long"),
        pytest.param("a\u202eb", "ab", id="turned text"),
    ],
)
def test_its_name_is_the_first_line_that_says_something(message: str, name: str) -> None:
    assert meaning.valid(body(message=message), Facts("3"), AT_ONCE, None).request.name == name


def test_with_an_email_its_name_is_the_subject_and_mail_is_asked_for() -> None:
    request = meaning.valid(body(emailTemplate="T", emailSubject="Subject"), Facts("3"), AT_ONCE, None).request
    assert (request.name, [*request.channels]) == ("Subject", ["inbox", "push", "email"])


def test_without_a_template_no_email_field_is_used() -> None:
    unused = body(emailSubject="Subject", emailBody="B", emailParams=[{"key": "emailBody", "value": "x"}])
    request = meaning.valid(unused, Facts("3"), AT_ONCE, None).request
    assert (request.name, [*request.channels], request.mail) == ("Hello", ["inbox", "push"], None)
    assert (unused.uses_body, unused.used_body) == (False, None)


def test_a_schedule_keeps_its_words_and_one_for_now_is_said_in_utc() -> None:
    due = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
    later = meaning.valid(body(**SCHEDULE, scheduleJobName="nightly"), Facts("3"), When(NOW, due), None)
    assert later.due_at == due
    assert later.request.schedule is not None
    assert (later.request.schedule.timezone, later.request.schedule.job) == ("Australia/Sydney", "nightly")
    now = meaning.valid(body(version=3), Facts("3"), AT_ONCE, None)
    assert now.due_at == NOW
    assert now.request.schedule is not None
    assert (now.request.schedule.timezone, now.request.schedule.local.hour) == ("UTC", 20)
    assert meaning.valid(body(version=2), Facts("3"), AT_ONCE, None).due_at is None


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        pytest.param([], "no user", id="unknown"),
        pytest.param(["a", "b"], "several users", id="two with one e-mail"),
    ],
)
def test_a_user_is_exactly_one(ids: list[str], said: str) -> None:
    [fault] = meaning.faults(body("UN", values=["x"]), Facts("3", users={"x": ids}))
    assert (fault.field, said in fault.detail) == ("values", True)


ADMIN = {"COMPANY_ADMIN"}


@pytest.mark.parametrize(
    ("user_roles", "companies", "may", "to_own", "to_other"),
    [
        pytest.param({"SUPER_USER"}, set(), True, True, True, id="a super user"),
        pytest.param(ADMIN, {"3"}, True, True, False, id="an admin of the key's company"),
        pytest.param(ADMIN, {"9"}, False, True, False, id="an admin of another company"),
        pytest.param(ADMIN, {"3", "9"}, True, True, False, id="an admin of both, by the key of one"),
        pytest.param({"EVENT_PUSH_NOTIFICATION_ROLE"}, {"3"}, True, True, False, id="the event role"),
        pytest.param(set(), {"3"}, False, True, False, id="no role"),
    ],
)
def test_who_may_send_to_which_company(
    user_roles: set[str], companies: set[str], *, may: bool, to_own: bool, to_other: bool
) -> None:
    sender = Sender("acme", "ada", user_roles, companies, "3")
    assert (roles.may_send(sender) is None) is may
    assert (roles.may_send_to(sender, "3") is None) is to_own
    assert (roles.may_send_to(sender, "9") is None) is to_other
