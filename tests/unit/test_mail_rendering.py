"""What a mail says of its notifications, and what upstream text cannot make it say."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from services.dispatcher import rendering
from services.dispatcher.rendering import MailItem, MailRecipient, Unshown
from shared import words
from shared.contract.importance import Importance
from shared.contract.messages import RelatedItem
from shared.contract.outcomes import NotificationState

_AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
_ADA = MailRecipient(first_name="Ada", last_name="Lovelace")


def _item(
    name: str = "Customer enquiry 4172",
    importance: Importance = Importance.WARNING,
    minutes: int = 0,
    state: NotificationState = NotificationState.NO_ACTION,
    description: str = "Please answer by [Friday](https://crm.example/4172)",
    action_url: str | None = None,
) -> MailItem:
    return MailItem(
        name=name,
        description=description,
        importance=importance,
        css_class=f"bg-{importance}",
        created_at=_AT + timedelta(minutes=minutes),
        state=state,
        action_url=action_url,
        items=(RelatedItem(table="incident", id="4172", url="https://crm.example/incident"),),
    )


class _Elements(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(html)
    return parser.found


def test_a_digest_counts_what_it_does_not_show() -> None:
    mail = rendering.digest_mail("enquiries", [_item(), _item()], _ADA, Unshown(count=5, needing_action=1))

    assert mail.subject == "enquiries: 7 notifications, 1 needs action"
    assert mail.text.rstrip().endswith("and 5 more in your inbox")
    assert "and 5 more in your inbox</p>" in mail.html


def test_a_digest_shows_its_items_in_the_order_they_are_given() -> None:
    items = [_item(f"{importance} {minutes}", importance, minutes) for importance in Importance for minutes in (5, 1)]

    mail = rendering.digest_mail("enquiries", items, _ADA)

    expected = [item.name for item in items]
    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", mail.html) == expected
    assert [line for line in mail.text.splitlines() if line in expected] == expected


@pytest.mark.parametrize(
    ("items", "subject"),
    [
        pytest.param([_item()], "enquiries: 1 notification", id="one"),
        pytest.param([_item(), _item()], "enquiries: 2 notifications", id="two"),
        pytest.param(
            [_item(state=NotificationState.ACTION_REQUIRED), _item(state=NotificationState.ACTION_COMPLETE)],
            "enquiries: 2 notifications, 1 needs action",
            id="action",
        ),
        pytest.param(
            [_item(state=NotificationState.ACTION_REQUIRED)] * 3,
            "enquiries: 3 notifications, 3 need action",
            id="actions",
        ),
    ],
)
def test_a_digests_subject_names_the_class_and_the_count(items: list[MailItem], subject: str) -> None:
    assert rendering.digest_mail("enquiries", items, _ADA).subject == subject


@pytest.mark.parametrize(
    ("locale", "subject", "facts", "action", "more"),
    [
        ("de-AT", "Post: 8 Benachrichtigungen, 1 erfordert eine Aktion", "Warnung · Aktion erforderlich · ",
         "Jetzt handeln", "und 7 weitere in Ihrem Posteingang"),
        ("fr", "Post : 8 notifications, 1 nécessite une action", "Avertissement · Action requise · ",
         "Agir maintenant", "et 7 autres dans votre boîte de réception"),
        ("es_MX", "Post: 8 notificaciones, 1 requiere una acción", "Advertencia · Acción necesaria · ",
         "Actuar ahora", "y 7 más en su bandeja de entrada"),
        ("fi", "Post: 8 notifications, 1 needs action", "Warning · Action required · ", "Take action",
         "and 7 more in your inbox"),
    ],
    ids=["German", "French", "Spanish", "a language that is not spoken"],
)  # fmt: skip
def test_a_mail_speaks_the_language_of_its_recipient(
    locale: str, subject: str, facts: str, action: str, more: str
) -> None:
    item = _item(state=NotificationState.ACTION_REQUIRED, action_url="https://crm.example/4172")
    mail = rendering.digest_mail("Post", [item], MailRecipient(locale=locale), Unshown(7, 0))
    assert mail.subject == subject
    for said in (facts, action, more):
        assert said in mail.text
        assert said in mail.html
    (page,) = [attributes for tag, attributes in _elements(mail.html) if tag == "html"]
    assert page == {"lang": words.language_of(locale), "dir": "ltr"}


def test_what_upstream_wrote_runs_in_its_own_direction() -> None:
    elements = _elements(rendering.immediate_mail(_item(), _ADA).html)
    turned = [tag for tag, attributes in elements if attributes.get("dir") == "auto"]
    assert turned == ["h2", "div"]


def test_a_digest_of_nothing_is_not_a_mail() -> None:
    with pytest.raises(ValueError, match="skipped"):
        rendering.digest_mail("enquiries", [], _ADA)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        pytest.param("Invoice\r\nBcc: eve@evil.example", "Invoice Bcc: eve@evil.example", id="CRLF"),
        pytest.param("a\u2028b\u2029c\u0085d\x00e", "a b c d e", id="other line breaks and NUL"),
        pytest.param("invoice_\u202efdp.exe", "invoice_fdp.exe", id="bidirectional override"),
        pytest.param("  a \t b  ", "a b", id="spaces"),
        pytest.param("x" * 255, "x" * 199 + "…", id="long"),
        pytest.param("Grüße 👩‍🚒", "Grüße 👩‍🚒", id="emoji stay whole"),
    ],
)
def test_a_subject_is_one_line_of_sane_length(name: str, subject: str) -> None:
    assert rendering.immediate_mail(_item(name), _ADA).subject == subject
    assert rendering.digest_mail(name, [_item()], _ADA).subject.startswith(subject[:190])


def test_a_mail_shows_name_description_importance_colour_and_links_in_both_parts() -> None:
    item = _item(state=NotificationState.ACTION_REQUIRED, action_url="https://crm.example/4172?popup=true")

    mail = rendering.immediate_mail(item, _ADA)

    links = {attributes["href"] for tag, attributes in _elements(mail.html) if tag == "a"}
    assert links == {"https://crm.example/4172", "https://crm.example/4172?popup=true", "https://crm.example/incident"}
    assert "border-left: 6px solid #ffc107" in mail.html
    assert "Warning · Action required · Dec 1, 2026 9:30\u202fAM UTC" in mail.html
    assert mail.text == (
        "Hello Ada Lovelace,\n\n----------------------------------------\n"
        "Customer enquiry 4172\nWarning · Action required · Dec 1, 2026 9:30\u202fAM UTC\n\n"
        "Please answer by Friday <https://crm.example/4172>\n\n"
        "Take action: https://crm.example/4172?popup=true\nincident 4172: https://crm.example/incident\n"
    )


def test_the_css_is_inlined_and_nothing_is_loaded_from_elsewhere() -> None:
    elements = _elements(rendering.immediate_mail(_item(), _ADA).html)

    styled = [tag for tag, attributes in elements if attributes.get("class") and not attributes.get("style")]
    assert styled == []
    assert not {"img", "link", "script", "iframe"} & {tag for tag, _ in elements}


def test_what_upstream_wrote_cannot_become_markup_or_a_template() -> None:
    hostile = "<script>alert(1)</script>{{ 7 * 7 }}{% for x in y %}"
    item = MailItem(
        name=hostile,
        description=hostile,
        importance=Importance.DANGER,
        css_class='"><script>',
        created_at=_AT,
        state=NotificationState.NO_ACTION,
        action_url="javascript:alert(1)",
        items=(RelatedItem(table=hostile, id=hostile, url="javascript:alert(1)"),),
    )

    mail = rendering.digest_mail(hostile, [item], MailRecipient(first_name=hostile))

    elements = _elements(mail.html)
    assert not {"script", "a"} & {tag for tag, _ in elements}
    assert "49" not in re.sub("#[0-9a-f]{6}", "", mail.html)
    assert "javascript" not in mail.html + mail.text
    assert "border-left: 6px solid #dc3545" in mail.html


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        pytest.param(MailRecipient(), "Dec 1, 2026 9:30\u202fAM UTC", id="nothing known"),
        pytest.param(MailRecipient(locale="de-DE", timezone="Australia/Sydney"), "01.12.2026 20:30", id="both"),
        pytest.param(MailRecipient(locale="fr_CA"), "1 déc. 2026 09 h 30 UTC", id="POSIX locale"),
        pytest.param(
            MailRecipient(locale="../etc", timezone="../../etc/passwd"), "Dec 1, 2026 9:30\u202fAM UTC", id="neither"
        ),
        pytest.param(
            MailRecipient(locale="tlh", timezone="Mars/Olympus"), "Dec 1, 2026 9:30\u202fAM UTC", id="unknown"
        ),
    ],
)
def test_times_are_those_of_the_recipients_place(recipient: MailRecipient, shown: str) -> None:
    facts = rendering.immediate_mail(_item(), recipient).text.splitlines()[4]

    assert facts.partition(" · ")[2] == shown


@pytest.mark.parametrize(
    ("recipient", "greeting"),
    [
        (MailRecipient(), "Hello,"),
        (MailRecipient(first_name="Ada"), "Hello Ada,"),
        (MailRecipient(first_name="Ada\r\nX: y", last_name="L"), "Hello Ada X: y L,"),
    ],
)
def test_a_recipient_is_greeted_by_name(recipient: MailRecipient, greeting: str) -> None:
    assert rendering.immediate_mail(_item(), recipient).text.splitlines()[0] == greeting
