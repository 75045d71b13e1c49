"""Mails built by hand are what the standard library reads."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.rendering import RenderedMail
from services.dispatcher.sinks import mime

HEADER = mime.Header("Tocsin <tocsin@sender.example>", "ada@example.test", "id@sender.example", datetime.now(UTC))

LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300)
TEXT = st.lists(LINE, max_size=10).map("\n".join)


def parsed(mail: RenderedMail) -> EmailMessage:
    message = email.message_from_bytes(mime.message(HEADER, mail), policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


@given(LINE)
def test_any_subject_reads_back(subject: str) -> None:
    assert parsed(RenderedMail(subject, "", ""))["Subject"].split() == subject.split()


@given(TEXT, TEXT)
def test_any_text_reads_back_in_both_parts(text: str, html: str) -> None:
    plain, rich = parsed(RenderedMail("Subject", html, text)).iter_parts()
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert rich.get_content().replace("\r\n", "\n").rstrip("\n") == html.rstrip("\n")


@given(LINE, TEXT)
def test_lines_are_short_and_end_in_crlf(subject: str, text: str) -> None:
    raw = mime.message(HEADER, RenderedMail(subject, text, text))
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "a\nb"])
def test_line_ends_of_any_kind_become_crlf(text: str) -> None:
    (plain, _) = parsed(RenderedMail("Subject", "", text)).iter_parts()
    assert plain.get_content().split() == ["a", "b"]


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@y.test", "a\nBcc: x@y.test", "a\x00b", "a\x0bBcc: x"])
def test_a_subject_cannot_begin_another_header(subject: str) -> None:
    message = parsed(RenderedMail(subject, "", ""))
    assert message["Bcc"] is None
    assert len(message.keys()) == 8


def test_a_boundary_in_the_text_does_not_end_the_part() -> None:
    plain, rich = parsed(RenderedMail("Subject", "--=_tocsin--", "--=_tocsin\r\nContent-Type: x/y")).iter_parts()
    assert "--=_tocsin" in plain.get_content()
    assert "--=_tocsin--" in rich.get_content()


ADDRESSES = [
    ("ada@example.test", "ada@example.test"),
    ("ada.b+c'd@EXAMPLE.test", "ada.b+c'd@EXAMPLE.test"),
    ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ("zoë@example.test", "zoë@example.test"),
]


@pytest.mark.parametrize(("written", "sent"), ADDRESSES)
def test_addresses_take_the_form_that_servers_read(written: str, sent: str) -> None:
    assert mime.mailbox(written) == sent


NO_ADDRESSES = [
    "", "ada", "@", "a@", "@b", "a b@c.d", 'a"b@c.d', "a<b@c.d", "a,b@c.d", "a@b@c.d", "a@b c", "a\n@b.c", "a@-",
    "a@..", "x" * 65 + "@b.c", "a@" + "x" * 254,
]  # fmt: skip


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    with pytest.raises(mime.UndeliverableAddressError):
        mime.mailbox(address)
