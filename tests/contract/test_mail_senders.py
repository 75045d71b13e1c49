"""The mail sink as a tenant set it up: From, Reply-To, return path and signature of what the relay takes."""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.dispatcher.delivery.ports import Claim, Mailbox, Receipt
from services.dispatcher.sinks import mail
from services.dispatcher.sinks.mail import MailSink
from shared.clock import SystemClock
from shared.contract import mail_settings
from shared.contract.outcomes import AttemptOutcome, Reason
from tests.support import claims, faulty_smtp
from tests.support.faulty_smtp import Relay

TENANT = {"from": "Acme Ålarms <alarms@acme.example>", "reply_to": "desk@acme.example"}


@pytest_asyncio.fixture
async def relay() -> AsyncIterator[Relay]:
    async with faulty_smtp.running() as running:
        yield running


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@pytest_asyncio.fixture
async def sink(relay: Relay, key: rsa.RSAPrivateKey, tmp_path: Path) -> AsyncIterator[MailSink]:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (tmp_path / "acme.s1.pem").write_bytes(pem)
    (tmp_path / "acme.broken.pem").write_text("no key")
    settings = claims.settings(smtp_port=relay.port, dkim_keys_folder=str(tmp_path), send_timeout_seconds=5)
    async with mail.open_sink(settings, claims.StoredMails(), SystemClock()) as opened:
        yield opened


def claim(address: str = "ada@example.test", **sender: Any) -> Claim:
    made = claims.email(address)
    target = Mailbox(address, "Ada", "Lovelace", sender={f"mail.{name}": value for name, value in sender.items()})
    return Claim(made.request, made.fence, made.holds, made.class_name, made.notices, target)


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


async def test_from_and_reply_to_are_the_tenants(sink: MailSink, relay: Relay) -> None:
    await sink.send(claim(**TENANT))
    message = parsed(relay.mails[0][1])
    assert message["From"] == "Acme Ålarms <alarms@acme.example>"
    assert message["Reply-To"] == "desk@acme.example"
    assert message["To"] == "ada@example.test"


async def test_without_properties_the_installation_is_the_sender(sink: MailSink, relay: Relay) -> None:
    await sink.send(claims.email("ada@example.test"))
    message = parsed(relay.mails[0][1])
    assert message["From"] == claims.settings().smtp_from
    assert message["Reply-To"] is None


async def test_a_bounce_comes_back_to_an_address_that_names_the_delivery(sink: MailSink, relay: Relay) -> None:
    made = claim(bounces_to="bounces@acme.example")
    await sink.send(made)
    assert [mail_settings.delivery_of(path) for path in relay.senders] == [made.request.id]


async def test_a_mail_is_signed_with_the_tenants_key(sink: MailSink, relay: Relay, key: rsa.RSAPrivateKey) -> None:
    receipt = await sink.send(claim(dkim_selector="s1", **TENANT))
    assert receipt == Receipt(AttemptOutcome.DELIVERED)
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    record = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
    asked: list[str] = []

    def resolved(name: bytes, timeout: int = 5) -> bytes:  # noqa: ARG001 - dkimpy's own signature
        asked.append(name.decode())
        return record.encode()

    message = relay.mails[0][1]
    assert dkim.verify(message, dnsfunc=resolved)
    assert asked == ["s1._domainkey.acme.example."]
    signed = re.sub(r"\s", "", str(parsed(message)["DKIM-Signature"])).partition("h=")[2].partition(";")[0].split(":")
    assert {"from", "to", "subject", "date", "message-id", "reply-to"} <= {name.lower() for name in signed}
    assert not dkim.verify(message.replace(b"Please", b"Pl3ase"), dnsfunc=resolved)


@pytest.mark.parametrize("selector", ["absent", "broken"])
async def test_a_mail_that_cannot_be_signed_waits_for_the_operator(sink: MailSink, relay: Relay, selector: str) -> None:
    receipt = await sink.send(claim(dkim_selector=selector))
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.reason) == (AttemptOutcome.RETRY, Reason.SENDER_MISCONFIGURED)
    assert "DKIM key" in receipt.detail
    assert "PRIVATE" not in receipt.detail
    assert relay.mails == []


@pytest.mark.parametrize(
    ("said", "gone"), [("550 5.1.1 no such user", True), ("550 5.7.1 no", False), ("550 no", False)]
)
async def test_only_a_mailbox_that_does_not_exist_is_told_as_such(
    sink: MailSink,
    relay: Relay,
    said: str,
    gone: bool,  # noqa: FBT001
) -> None:
    relay.at_rcpt = said
    receipt = await sink.send(claim())
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.no_mailbox) == (AttemptOutcome.FAILED, gone)
