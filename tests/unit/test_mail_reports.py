"""What a report about a mail is read as."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console import mail_reports as read
from services.console.mail_reports import Finding, NoReportError
from shared.contract import mail_settings
from shared.postgres.suppressions import Cause
from tests.support import mail_reports

DELIVERY = uuid.uuid4()


def test_a_bounce_names_recipient_status_and_delivery() -> None:
    expected = Finding(Cause.BOUNCE, ("ada@example.test",), DELIVERY, is_permanent=True, detail="status 5.1.1")
    assert read.findings(mail_reports.bounce(DELIVERY)) == [expected]
    assert read.findings(mail_reports.bounce(DELIVERY).replace(b"\r\n", b"\n")) == [expected]


def test_the_address_a_bounce_comes_to_says_which_mail_it_is_about() -> None:
    to = mail_settings.return_path("bounces@acme.example", DELIVERY)
    (finding,) = read.findings(mail_reports.bounce("unknown", to=f"<{to}>"))
    assert finding.delivery == DELIVERY


@pytest.mark.parametrize(
    ("action", "status", "permanent"),
    [
        ("failed", "5.2.2", [False]),
        ("failed", "5.7.1", [False]),
        ("delayed", "4.4.1", []),
        ("delivered", "2.0.0", []),
    ],
)
def test_what_may_be_mended_is_no_end(action: str, status: str, permanent: list[bool]) -> None:
    found = read.findings(mail_reports.bounce(DELIVERY, action=action, status=status))
    assert [finding.is_permanent for finding in found] == permanent


def test_a_complaint_counts_and_its_opposite_does_not() -> None:
    (finding,) = read.findings(mail_reports.complaint(DELIVERY))
    assert (finding.cause, finding.addresses, finding.delivery) == (Cause.COMPLAINT, ("ada@example.test",), DELIVERY)
    assert read.findings(mail_reports.complaint(DELIVERY, kind="not-spam")) == []


@pytest.mark.parametrize(
    "raw", [b"", b"Subject: hello\r\n\r\nhow are you", b"\xff\x00\r\n\r\n", b"Content-Type: multipart/report"]
)
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(NoReportError, match="multipart/report"):
        read.findings(raw)


@given(st.integers(0, 1_500), st.binary(min_size=1, max_size=30))
def test_a_broken_report_is_read_or_refused(at: int, junk: bytes) -> None:
    whole = mail_reports.bounce(DELIVERY)
    try:
        found = read.findings(whole[:at] + junk + whole[at + len(junk) :])
    except NoReportError:
        return
    assert all(isinstance(finding, Finding) for finding in found)
