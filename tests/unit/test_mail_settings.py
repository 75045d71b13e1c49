"""What a tenant may say about its mail, and what of it reaches a header."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.sinks import mime
from shared.contract import mail_settings, mail_status
from shared.contract.mail_settings import MailSettingError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mail.from", "a@b.example\r\nBcc: eve@evil.example"),
        ("mail.from", "Eve\nBcc: x <a@b.example>"),
        ("mail.from", "=?utf-8?q?x=0d=0aBcc:?= <a@b.example>"),
        ("mail.from", "a@b.example, c@d.example"),
        ("mail.from", "nobody"),
        ("mail.from", "a@[127.0.0.1]"),
        ("mail.from", "ad a@b.example"),
        ("mail.from", "ada@exämple.de"),
        ("mail.from", f"{'x' * 101} <a@b.example>"),
        ("mail.from", 7),
        ("mail.reply_to", "\x00@b.example"),
        ("mail.bounces_to", "Bounces <bounces@b.example>"),
        ("mail.bounces_to", "bounces+x@b.example"),
        ("mail.bounces_to", f"{'b' * 32}@b.example"),
        ("mail.dkim_selector", "../../etc/passwd"),
        ("mail.dkim_selector", "s1;d=evil"),
        ("mail.dkim_selector", ".."),
        ("mail.form", "a@b.example"),
        ("mail.desktop_url", "desk.example"),
        ("mail.desktop_url", "https:///x"),
        ("mail.desktop_url", "JavaScript:alert(1)"),
        ("mail.desktop_url", 'https://desk.example/"onclick="x'),
        ("mail.interact_url", "data:text/html,x"),
        ("mail.interact_url", "https://a.example/" + "x" * 1_024),
    ],
)
def test_what_means_nothing_or_would_begin_another_header_is_refused(name: str, value: Any) -> None:
    with pytest.raises(MailSettingError):
        mail_settings.checked(name, value)


@pytest.mark.parametrize(
    "value", ["alarms@acme.example", "Acme <alarms@acme.example>", '"Acme, Ltd." <a@acme.example>']
)
def test_an_address_with_or_without_a_name_is_taken(value: str) -> None:
    sender = mail_settings.sender({"mail.from": value, "mail.reply_to": "", "mail.dkim_selector": "s1"})
    assert sender.from_ is not None
    assert (sender.from_.domain, sender.reply_to, sender.dkim_selector) == ("acme.example", None, "s1")


@pytest.mark.parametrize("link", ["https://desk.example/in?a=1", "http://desk", "interact://home"])
def test_templates_lead_to_web_addresses_and_apps(link: str) -> None:
    sender = mail_settings.sender({"mail.desktop_url": link, "mail.interact_url": ""})
    assert (sender.desktop_url, sender.interact_url) == (link, None)


@given(st.text(max_size=120))
def test_no_name_ends_the_header_it_stands_in(name: str) -> None:
    try:
        taken = mail_settings.address(f"{name} <a@acme.example>")
    except MailSettingError:
        return
    written = mime.address(taken)
    assert [line[0] for line in written.split("\r\n")[1:]] == [" "] * written.count("\r\n")
    assert written.replace("\r\n", "").isprintable()
    assert written.isascii()


def test_a_return_path_names_its_delivery() -> None:
    delivery = uuid.uuid4()
    path = mail_settings.return_path("bounces@acme.example", delivery)
    assert mail_settings.delivery_of(f"<{path}>") == delivery
    assert len(mail_settings.return_path(f"{'b' * 31}@acme.example", delivery).partition("@")[0]) == 64
    assert mail_settings.delivery_of("bounces@acme.example") is None


@pytest.mark.parametrize(
    ("status", "gone"),
    [
        ("5.1.1", True), ("5.1.1 no such user", True), (" 5.1.10", True), ("5.2.1", True), ("5.1.0", False),
        ("5.1.7", False), ("5.1.8", False), ("5.2.2", False), ("5.7.1", False), ("4.1.1", False), ("5.0.0", False),
        ("5.2.10", False), ("", False), ("no such user 5.1.1", False),
    ],
)  # fmt: skip
def test_only_a_mailbox_that_will_never_be_there_is_gone(status: str, gone: bool) -> None:  # noqa: FBT001
    assert mail_status.is_gone(status) is gone
