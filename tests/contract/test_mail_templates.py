"""The mail sink with mails of templates: filled per recipient, large bodies prepared once, failures that say why."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
import pytest_asyncio

from services.dispatcher import templated
from services.dispatcher.delivery.ports import Busy, Claim, Mailbox, Receipt
from services.dispatcher.sinks import mail, mime
from services.dispatcher.sinks.mail import MailSink
from services.dispatcher.sinks.templated_mails import TemplatedMails
from services.dispatcher.templated import UnmakeableError
from shared.clock import SystemClock
from shared.contract import mail_settings
from shared.contract.outcomes import AttemptOutcome, Channel, Reason
from shared.contract.template_params import TemplateMail
from shared.errors import TransientError
from shared.templates import shipped
from tests.support import claims, faulty_smtp
from tests.support.claims import StoredMails
from tests.support.faulty_smtp import Relay

SHIPPED = shipped.sources()["Client.Generic.HTMLBody.Mandrill.html"]
DELIVERED = Receipt(AttemptOutcome.DELIVERED)


@pytest_asyncio.fixture
async def relay() -> AsyncIterator[Relay]:
    async with faulty_smtp.running() as running:
        yield running


@pytest.fixture
def stored() -> StoredMails:
    return StoredMails()


@pytest_asyncio.fixture
async def sink(relay: Relay, stored: StoredMails) -> AsyncIterator[MailSink]:
    settings = claims.settings(smtp_port=relay.port, send_timeout_seconds=15, smtp_connections=4)
    async with mail.open_sink(settings, stored, SystemClock()) as opened:
        yield opened


def to(address: str, about: Claim | None = None, sender: dict[str, str] | None = None) -> Claim:
    """A claim for a templated mail, about the same notification as another where one is given."""
    made = claims.email(address, templated=True, notices=about.notices if about else (claims.notice(),))
    target = Mailbox(address, address.partition("@")[0].title(), sender=sender)
    return Claim(made.request, made.fence, made.holds, made.class_name, made.notices, target, templated=True)


def parsed(content: bytes) -> tuple[EmailMessage, str, str]:
    """A mail, its text and its HTML."""
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    text, html = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    return message, text.get_content().strip(), html.get_content().strip()


async def test_each_recipient_is_addressed_by_name_and_led_to_the_tenants_pages(
    sink: MailSink, stored: StoredMails, relay: Relay
) -> None:
    template = '{{ userFirstName }}: {{ order }} <a href="{{ desktopURL }}">desk</a> {{ interactURL }}'
    stored.stored = TemplateMail(template="t", subject="Störung", params={"order": "7"}), template
    sender = {"mail.desktop_url": "https://desk.example", "mail.interact_url": "interact://home"}
    first = to("ada@example.test", sender=sender)
    for claim in (first, to("grace@example.test", first, sender)):
        assert await sink.send(claim) == DELIVERED
    read = {recipient: parsed(content) for recipient, content in relay.mails}
    message, text, html = read["ada@example.test"]
    assert (message["Subject"], message["Message-ID"]) == ("Störung", f"<{first.request.id}@sender.example>")
    assert html == 'Ada: 7 <a href="https://desk.example">desk</a> interact://home'
    assert text == "Ada: 7 desk <https://desk.example> interact://home"
    assert read["grace@example.test"][1].startswith("Grace: 7")
    assert stored.asked == 1, "what both have in common was fetched once"


async def test_a_large_body_for_many_is_fetched_and_prepared_once(
    sink: MailSink, stored: StoredMails, relay: Relay
) -> None:
    body = '<p class="x">Grüße</p><script>x</script>' * 50_000
    stored.stored, stored.large = (TemplateMail(template="t", subject="s", body_ref="0" * 64), SHIPPED), body
    first = to("u0@example.test")
    others = [to(f"u{number}@example.test", first) for number in range(1, 8)]
    assert await asyncio.gather(*(sink.send(claim) for claim in (first, *others))) == [DELIVERED] * 8
    assert stored.bodies_asked == 1
    assert len(relay.mails) == 8
    for _, content in relay.mails[:2]:
        assert parsed(content)[2].count('<p class="x">Grüße</p>') == 50_000
        assert b"\n" not in content.replace(b"\r\n", b"")


async def test_what_is_held_makes_room_for_what_comes(stored: StoredMails) -> None:
    stored.stored = TemplateMail(template="t", subject="s", body_ref="0" * 64), SHIPPED
    stored.large = "x" * 10_000_000
    mails = TemplatedMails(stored)
    requests = [claims.request(Channel.EMAIL) for _ in range(6)]
    own = templated.personal("Ada", mail_settings.NOBODY, "")
    header = mime.Header("a@b.example", "c@d.example", "id@b.example", datetime.now(UTC))
    for request in requests:
        assert len(await mails.written(header, request, own)) > 13_000_000
    await mails.written(header, requests[-1], own)
    assert stored.bodies_asked == 6, "what came last is held"
    await mails.written(header, requests[0], own)
    assert stored.bodies_asked == 7, "what came first made room"


@pytest.mark.parametrize(
    ("template", "params"), [("{{ order }}", {}), ("{% for a in b %}{% endfor %}", {})], ids=["a param", "a loop"]
)
async def test_a_template_that_cannot_be_filled_ends_with_why_and_is_looked_at_again(
    sink: MailSink, stored: StoredMails, relay: Relay, template: str, params: dict[str, str]
) -> None:
    mail_of = TemplateMail(template="t", subject="s", params=params)
    stored.stored = mail_of, template
    claim = to("ada@example.test")
    receipt = await sink.send(claim)
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason) == (AttemptOutcome.FAILED, Reason.TEMPLATE_UNFILLABLE)
    assert receipt.detail.startswith("the template cannot be filled: ")
    assert relay.mails == []
    stored.stored = mail_of, "mended"
    assert await sink.send(claim) == DELIVERED


async def test_a_body_that_is_gone_ends_with_why(sink: MailSink, stored: StoredMails) -> None:
    stored.stored = TemplateMail(template="t", subject="s", body_ref="0" * 64), SHIPPED
    stored.large = UnmakeableError(Reason.BODY_GONE, "the body is gone")
    assert await sink.send(to("ada@example.test")) == Receipt(
        AttemptOutcome.FAILED, Reason.BODY_GONE, "the body is gone"
    )


async def test_while_postgresql_is_away_no_attempt_is_spent(sink: MailSink, stored: StoredMails) -> None:
    stored.stored = TransientError("away", Reason.POSTGRES_UNAVAILABLE, 3.0)
    assert await sink.send(to("ada@example.test")) == Busy(3.0, "away")


async def test_what_is_not_made_in_time_is_tried_again(relay: Relay, stored: StoredMails) -> None:
    """A lease is reckoned on the whole attempt, so a mail must not be sent that was too long in the making."""
    stored.answers = False
    async with mail.open_sink(claims.settings(smtp_port=relay.port), stored, SystemClock()) as sink:
        receipt = await sink.send(to("ada@example.test"))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason) == (AttemptOutcome.RETRY, Reason.TIMEOUT)
    assert relay.mails == []
