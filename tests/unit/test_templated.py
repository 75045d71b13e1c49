"""Mails of templates: what fills them, what is cleaned, where the campaign's tag stands, and how a large body goes."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from services.dispatcher import templated
from services.dispatcher.rendering import RenderedMail
from services.dispatcher.sinks import mime
from services.dispatcher.templated import UnmakeableError
from shared.contract.mail_settings import Sender
from shared.contract.outcomes import Reason
from shared.contract.template_params import TemplateMail
from shared.templates import shipped

SHIPPED = shipped.sources()["Client.Generic.HTMLBody.Mandrill.html"]
TAG = {"campaignTagId": "12"}
UNSUBSCRIBE = "https://tocsin.example/u/abc"
NOBODY = templated.personal(None, Sender(), "")


def mail(template: str, own: dict[str, str] | None = None, body: str | None = None, **fields: Any) -> RenderedMail:
    """The mail a template makes."""
    asked = TemplateMail(**{"template": "t", "subject": "Soup today", **fields})
    return templated.filled(templated.prepared(asked, template, body), own or NOBODY)


FILLED: dict[str, tuple[str, dict[str, str], str]] = {
    "a generic param": ("<p>{{ order }}</p>", {"order": "7 < 8"}, "<p>7 &lt; 8</p>"),
    "the first name is the recipient's": ("{{ userFirstName }}", {"userFirstName": "any"}, "Ada"),
    "desktopURL is the tenant's": ("{{ desktopURL }}", {"desktopURL": "any"}, "https://desk.example/"),
    "interactURL is the tenant's": ("{{ interactURL }}", {"interactURL": "any"}, "interact://home"),
    "unsubcribeURL is the recipient's": ("{{ unsubcribeURL }}", {"unsubcribeURL": "any"}, UNSUBSCRIBE),
    "userLastName is a plain param": ("{{ userLastName }}", {"userLastName": "sent"}, "sent"),
    "what is personal is there without being sent": ("{{ userFirstName }}!", {}, "Ada!"),
    "the subject is a param too": ("{{ emailSubject }}", {}, "Soup today"),
    "unless one was sent": ("{{ emailSubject }}", {"emailSubject": "Own"}, "Own"),
    "emailBody without a large body is a plain param": ("{{ emailBody }}", {"emailBody": "<b>"}, "&lt;b&gt;"),
    "HTML of a param is sanitised": ("{{ a|html }}", {"a": "<b onclick=x>y</b><script>z</script>"}, "<b>y</b>"),
}


@pytest.mark.parametrize(("template", "params", "html"), FILLED.values(), ids=FILLED)
def test_a_template_is_filled_with_what_was_sent_and_what_is_personal(
    template: str, params: dict[str, str], html: str
) -> None:
    sender = Sender(desktop_url="https://desk.example/", interact_url="interact://home")
    assert mail(template, templated.personal("Ada", sender, UNSUBSCRIBE), params=params).html == html


LINKS: dict[str, tuple[str, str]] = {
    "into the web": ('<a href="https://a.example">x</a>', ' href="https://a.example"'),
    "into an app": ('<A HREF = " interact://event/12">x</A>', ' href=" interact://event/12"'),
    "what runs": ('<a href="javascript://%0Aalert(1)">x</a><a href="app://y"></a>', ""),
    "what shows its own text": ('<a href="DATA://text/html,x">x</a>', ""),
    "what is no address": ('<a href="note:this">x</a>', ""),
}


@pytest.mark.parametrize(("html", "kept"), LINKS.values(), ids=LINKS)
def test_html_of_senders_links_into_the_web_and_into_apps_only(html: str, kept: str) -> None:
    made = mail("{{ a|html }}", params={"a": html}).html
    assert made.partition("</a>")[0] == f'<a{kept} rel="noopener noreferrer">x'


def test_images_come_from_the_web_alone() -> None:
    html = '<a href="interact://a">x</a><img src="interact://b" alt="b"><img src="https://a.example/c.png">'
    made = mail("{{ a|html }}", params={"a": html}).html
    assert made.endswith('x</a><img alt="b"><img src="https://a.example/c.png">')


def test_what_is_not_known_of_a_recipient_is_empty() -> None:
    template = "[{{ userFirstName }}{% if desktopURL %}desk{% endif %}{{ interactURL }}{{ unsubcribeURL }}]"
    assert mail(template).html == "[]"


TAGGED: dict[str, tuple[str, dict[str, Any], str]] = {
    "of the template": ('<a href="https://a.example">x</a>', {}, '<a href="https://a.example?campaignTagId=12">x</a>'),
    "of a param": (
        '<a href="{{ url }}">x</a>',
        {"params": {"url": "https://a.example/?b=1&c=2"}},
        '<a href="https://a.example/?b=1&amp;c=2&amp;campaignTagId=12">x</a>',
    ),
    "of HTML in a param": (
        "{{ a|html }}",
        {"params": {"a": '<a href="https://a.example">x</a>'}},
        '<a href="https://a.example?campaignTagId=12" rel="noopener noreferrer">x</a>',
    ),
    "into an app": (
        "{{ a|html }}",
        {"params": {"a": '<a href="interact://event/12">x</a>'}},
        '<a href="interact://event/12?campaignTagId=12" rel="noopener noreferrer">x</a>',
    ),
    "but that to unsubscribe": (
        '<a href="{{ unsubcribeURL }}">x</a>', {}, f'<a href="{UNSUBSCRIBE}">x</a>',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("template", "fields", "html"), TAGGED.values(), ids=TAGGED)
def test_the_campaigns_tag_stands_in_every_link(template: str, fields: dict[str, Any], html: str) -> None:
    own = templated.personal("Ada", Sender(), UNSUBSCRIBE)
    made = mail(template, own, link_query=TAG, **fields)
    assert made.html == html
    assert mail(template, own, **fields).html == html.replace("&amp;campaignTagId=12", "").replace(
        "?campaignTagId=12", ""
    )


def test_a_text_part_says_the_same() -> None:
    made = mail('<p>Hello {{ userFirstName }}</p><a href="https://a.example">menu</a>', link_query=TAG)
    assert made.text == "Hello\nmenu <https://a.example?campaignTagId=12>"


@pytest.mark.parametrize(("subject", "expected"), [("a" * 256, "a" * 256), ("Soup\u202e now", "Soup now")])
def test_the_subject_is_sent_whole_on_one_line(subject: str, expected: str) -> None:
    assert mail("x", subject=subject).subject == expected


@pytest.mark.parametrize(
    ("template", "params"),
    [("{{ order }}", {}), ("{% for a in b %}{% endfor %}", {}), ("{{ a }}" * 7_000, {"a": "x" * 2_000})],
    ids=["a param lacks", "no template", "too large"],
)
def test_a_template_that_cannot_be_filled_says_why(template: str, params: dict[str, str]) -> None:
    with pytest.raises(UnmakeableError, match="the template cannot be filled: ") as raised:
        mail(template, params=params)
    assert raised.value.reason is Reason.TEMPLATE_UNFILLABLE


def parts(made: RenderedMail) -> tuple[str, str]:
    """Text and HTML as a mail program reads them, without the blanks that may stand around a large body."""
    header = mime.Header("a@b.example", "c@d.example", "id@b.example", datetime(2026, 11, 28, tzinfo=UTC))
    content = mime.message(header, made)
    assert max(len(line) for line in content.split(b"\r\n")) <= 78
    read = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(read, EmailMessage)
    text, html = read.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    return text.get_content(), html.get_content()


BODY = '<h1>Grüße 🙂</h1><script>x</script><p onclick="y">Read <a href="https://a.example/x">this</a></p>'
CLEAN = '<h1>Grüße 🙂</h1><p>Read <a href="https://a.example/x?campaignTagId=12" rel="noopener noreferrer">this</a></p>'


@pytest.mark.parametrize(
    ("template", "html"),
    [
        pytest.param("<p>é</p>{{ emailBody|html }}<p>{{ userFirstName }}</p>", "<p>é</p>{}<p>Ada</p>", id="once"),
        pytest.param("{{ emailBody|html }}-{{ emailBody|html }}", "{}-{}", id="twice"),
        pytest.param("{% if emailBody %}{{ emailBody|html }}{% endif %}", "{}", id="where it was asked for"),
        pytest.param("{{ emailBody|html if emailBody else 'x' }}", "{}", id="on a condition"),
        pytest.param("{% if other %}{{ emailBody|html }}{% endif %}y", "y", id="not at all"),
        pytest.param("{{ emailBody|default('x')|html }}", "{}", id="another way, filled in each time"),
    ],
)
@pytest.mark.parametrize("length", [0, 1, 2, 57])
def test_a_large_body_is_sanitised_tagged_and_whole(template: str, html: str, length: int) -> None:
    made = mail(template, templated.personal("Ada", Sender(), ""), BODY + "z" * length, body_ref="0", link_query=TAG)
    _, read = parts(made)
    expected = html.replace("{}", CLEAN + "z" * length)
    assert "".join(read.split()) == "".join(expected.split())


def test_a_large_body_is_in_the_text_part_too() -> None:
    text, _ = parts(mail(SHIPPED, body=BODY, body_ref="0", link_query=TAG))
    assert "Grüße 🙂" in text
    assert "Read this <https://a.example/x?campaignTagId=12>" in text


def test_a_large_body_shown_as_text_is_text() -> None:
    assert mail("{{ emailBody }}", body="<b>x</b>", body_ref="0").html == "&lt;b&gt;x&lt;/b&gt;"
