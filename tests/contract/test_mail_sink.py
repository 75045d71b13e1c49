"""The mail sink against a relay that misbehaves at every verb."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
import pytest_asyncio

from services.dispatcher.delivery.ports import Busy, Receipt
from services.dispatcher.sinks import mail, mime
from services.dispatcher.sinks.mail import MailSink
from shared.clock import SystemClock
from shared.contract.outcomes import AttemptOutcome, Reason
from tests.support import claims, faulty_smtp
from tests.support.faulty_smtp import Relay

DELIVERED, RETRY, FAILED, AMBIGUOUS = AttemptOutcome


@pytest_asyncio.fixture(params=["one by one", "pipelining"])
async def relay(request: pytest.FixtureRequest) -> AsyncIterator[Relay]:
    async with faulty_smtp.running() as running:
        if request.param == "pipelining":
            running.extensions += ("PIPELINING",)
        yield running


@pytest_asyncio.fixture
async def sink(relay: Relay) -> AsyncIterator[MailSink]:
    async with mail.open_sink(claims.settings(smtp_port=relay.port), claims.StoredMails(), SystemClock()) as opened:
        yield opened


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize(("code", "outcome"), [("451", RETRY), ("550", FAILED)])
async def test_a_refusal_means_the_same_at_every_verb(
    sink: MailSink, verb: str, code: str, outcome: AttemptOutcome
) -> None:
    receipt = await sink.send(claims.email(f"{verb}-{code}@example.test"))
    assert isinstance(receipt, Receipt)
    assert receipt.outcome is outcome
    assert receipt.detail == f"{code} refused for [address]"


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data", "dot"])
async def test_421_slows_the_destination_and_spends_no_attempt(sink: MailSink, verb: str) -> None:
    assert isinstance(await sink.send(claims.email(f"{verb}-421@example.test")), Busy)


async def test_a_greeting_of_421_slows_the_destination(sink: MailSink, relay: Relay) -> None:
    relay.greeting = "421 too many connections"
    assert isinstance(await sink.send(claims.email("ada@example.test")), Busy)


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("fault", "reason"), [("drop", Reason.DESTINATION_UNAVAILABLE), ("hang", Reason.TIMEOUT)], ids=["drop", "hang"]
)
async def test_before_the_content_is_sent_every_fault_means_not_delivered(
    sink: MailSink, relay: Relay, verb: str, fault: str, reason: Reason
) -> None:
    receipt = await sink.send(claims.email(f"{fault}-{verb}@example.test"))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason) == (RETRY, reason)
    assert relay.mails == []


@pytest.mark.parametrize(("size_bytes", "seconds"), [(0, 0.0), (500_000, 0.5), (14_000_000, 13.5), (10**9, 13.5)])
def test_a_large_mail_may_take_longer_and_never_as_long_as_its_lease(size_bytes: int, seconds: float) -> None:
    assert mail.longer_seconds(15.0, size_bytes) == seconds


async def test_a_relay_has_more_time_for_a_large_mail(sink: MailSink) -> None:
    loop = asyncio.get_running_loop()
    large = claims.notice(description="Please, " * 40_000)
    begun = loop.time()
    receipt = await sink.send(claims.email("hang-dot@example.test", notices=(large,)))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason) == (AMBIGUOUS, Reason.TIMEOUT)
    assert loop.time() - begun >= 0.5 + mail.longer_seconds(0.5, 300_000)


@pytest.mark.parametrize(
    ("fault", "reason"), [("drop", Reason.AMBIGUOUS), ("hang", Reason.TIMEOUT)], ids=["drop", "hang"]
)
async def test_after_the_final_dot_every_fault_is_ambiguous(
    sink: MailSink, relay: Relay, fault: str, reason: Reason
) -> None:
    receipt = await sink.send(claims.email(f"{fault}-dot@example.test"))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason) == (AMBIGUOUS, reason)
    assert len(relay.mails) == 1


async def test_a_refused_login_or_greeting_says_nothing_about_the_mail(sink: MailSink, relay: Relay) -> None:
    relay.greeting = "554 go away"
    receipt = await sink.send(claims.email("ada@example.test"))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.detail) == (RETRY, "554 go away")


async def test_a_connection_serves_many_mails_also_after_a_refusal(sink: MailSink, relay: Relay) -> None:
    for address in ("ada", "rcpt-550", "grace", "dot-451", "ada"):
        await sink.send(claims.email(f"{address}@example.test"))
    assert relay.connections == 1
    assert [recipient for recipient, _ in relay.mails] == ["ada@example.test", "grace@example.test", "ada@example.test"]


async def test_a_relay_that_wants_a_content_for_nobody_gets_an_empty_one(sink: MailSink, relay: Relay) -> None:
    relay.at_data = "354 go on all the same"
    for address in ("rcpt-550", "mail-451", "ada"):
        receipt = await sink.send(claims.email(f"{address}@example.test"))
        assert isinstance(receipt, Receipt)
        assert receipt.outcome is {"rcpt-550": FAILED, "mail-451": RETRY, "ada": DELIVERED}[address]
    assert relay.connections == 1
    assert [recipient for recipient, _ in relay.mails] == ["ada@example.test"]


async def test_a_connection_is_made_anew_after_so_many_mails(relay: Relay) -> None:
    settings = claims.settings(smtp_port=relay.port, smtp_mails_per_connection=2)
    async with mail.open_sink(settings, claims.StoredMails(), SystemClock()) as sink:
        for _ in range(5):
            assert await sink.send(claims.email("ada@example.test")) == Receipt(DELIVERED)
    assert relay.connections == 3
    assert relay.commands.count("QUIT") == 3


async def test_a_connection_the_relay_closed_while_idle_costs_no_attempt(sink: MailSink, relay: Relay) -> None:
    relay.close_idle_after = 1
    for _ in range(3):
        assert await sink.send(claims.email("ada@example.test")) == Receipt(DELIVERED)
    assert len(relay.mails) == 3


async def test_a_relay_that_closes_at_once_is_not_asked_twice(sink: MailSink, relay: Relay) -> None:
    relay.close_idle_after = 0
    receipt = await sink.send(claims.email("ada@example.test"))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, relay.connections) == (RETRY, 1)


async def test_the_mail_says_what_it_should(sink: MailSink, relay: Relay) -> None:
    notice = claims.notice(name="Störung in Zürich", description="Line one\n.\n.hidden dot\nFrom here\n" + "x" * 2000)
    claim = claims.email("ada@example.test", notices=(notice,))
    await sink.send(claim)
    ((recipient, content),) = relay.mails
    message = parsed(content)
    assert recipient == "ada@example.test"
    assert message["From"] == "Tocsin <tocsin@sender.example>"
    assert message["To"] == "ada@example.test"
    assert message["Subject"] == "Störung in Zürich"
    assert message["Message-ID"] == f"<{claim.request.id}@sender.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert ".hidden dot" in text.get_content()
    assert "Ada Lovelace" in text.get_content()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")


async def test_a_digest_is_one_mail_with_all_its_members(sink: MailSink, relay: Relay) -> None:
    notices = (claims.notice(name="First"), claims.notice(name="Second"))
    await sink.send(claims.email("ada@example.test", subject="digest", notices=notices))
    ((_, content),) = relay.mails
    message = parsed(content)
    assert message["Subject"].startswith("Enquiries: 2 notifications")
    text = message.get_body(("plain",))
    assert text is not None
    assert all(notice.name in text.get_content() for notice in notices)


async def test_a_large_digest_is_written_beside_the_loop() -> None:
    header = mime.Header("Tocsin <tocsin@sender.example>", "ada@example.test", "1@sender.example", claims.CREATED)
    notices = tuple(claims.notice(description="**Please** answer. " * 50) for _ in range(200))
    claim = claims.email("ada@example.test", subject="digest", notices=notices)
    turns, writing = 0, asyncio.create_task(mail.written(header, claim))
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10, "the loop turned meanwhile"
    assert (await writing).count(b"Customer enquiry") == 2 * len(notices)


async def test_a_domain_beyond_ascii_goes_out_in_its_ascii_form(sink: MailSink, relay: Relay) -> None:
    await sink.send(claims.email("ada@bücher.example"))
    assert relay.mails[0][0] == "ada@xn--bcher-kva.example"


async def test_a_local_part_beyond_ascii_needs_a_relay_that_takes_it(sink: MailSink, relay: Relay) -> None:
    assert await sink.send(claims.email("zoë@example.test")) == Receipt(DELIVERED)
    assert parsed(relay.mails[0][1])["To"] == "zoë@example.test"


async def test_a_relay_that_takes_ascii_only_is_not_asked(sink: MailSink, relay: Relay) -> None:
    relay.extensions = ()
    receipt = await sink.send(claims.email("zoë@example.test"))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason) == (FAILED, Reason.UNSUPPORTED)


@pytest.mark.parametrize(
    "address", ["", "ada", "ada@", "@example.test", "a b@example.test", "ada@example.test>\r\nRCPT TO:<x@y.test"]
)
async def test_what_is_no_address_is_given_up_without_a_connection(sink: MailSink, relay: Relay, address: str) -> None:
    receipt = await sink.send(claims.email(address))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason, relay.connections) == (FAILED, Reason.INVALID, 0)


async def test_a_cancelled_send_closes_its_connection(sink: MailSink, relay: Relay) -> None:
    sending = asyncio.create_task(sink.send(claims.email("hang-data@example.test")))
    await asyncio.wait([sending], timeout=0.1)
    sending.cancel()
    await asyncio.wait([sending])
    assert await sink.send(claims.email("ada@example.test")) == Receipt(DELIVERED)
    assert relay.connections == 2
