"""What the mail sink says about unsubscribing: the headers of RFC 8058, the link people see, and their signature."""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.dispatcher.delivery.ports import Claim, Mailbox
from services.dispatcher.sinks import mail
from services.dispatcher.sinks.mail import MailSink
from shared.clock import SystemClock
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.unsubscribe import Subscription
from tests.support import claims, faulty_smtp, unsubscribing
from tests.support.faulty_smtp import Relay

LONG = "語" * 255


@pytest_asyncio.fixture
async def relay() -> AsyncIterator[Relay]:
    async with faulty_smtp.running() as running:
        yield running


@pytest_asyncio.fixture
async def sink(relay: Relay, tmp_path: Path) -> AsyncIterator[MailSink]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (tmp_path / "acme.s1.pem").write_bytes(pem)
    settings = claims.settings(smtp_port=relay.port, dkim_keys_folder=str(tmp_path), send_timeout_seconds=5)
    async with mail.open_sink(settings, claims.StoredMails(), SystemClock()) as opened:
        yield opened


def about(asset: str | None = None, **given: Any) -> Claim:
    notices = (claims.notice(asset=asset), claims.notice(asset="9"))[: given.pop("members", 1)]
    return claims.email("ada@example.test", notices=notices, **{"lane": Lane.ROUTINE, **given})


async def sent(sink: MailSink, relay: Relay, claim: Claim) -> EmailMessage:
    await sink.send(claim)
    message = email.message_from_bytes(relay.mails[-1][1], policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def link_of(message: EmailMessage) -> str:
    found = re.fullmatch(r"<(.+)>", str(message["List-Unsubscribe"]))
    assert found
    return re.sub(r"\s", "", found[1])  # RFC 2369, 2: white space within the brackets says nothing


@pytest.mark.parametrize("lane", [Lane.ROUTINE, Lane.BULK])
@pytest.mark.parametrize("asset", [None, "4"])
async def test_a_mail_that_is_not_urgent_says_how_to_unsubscribe(
    sink: MailSink, relay: Relay, lane: Lane, asset: str | None
) -> None:
    message = await sent(sink, relay, about(asset, lane=lane))
    link = link_of(message)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert unsubscribing.links().read(unsubscribing.token(link)) == Subscription(
        "acme", "ada", Channel.EMAIL, "enquiries", asset
    )
    text, html = (part.get_content() for part in message.iter_parts())
    assert f"Unsubscribe from these emails:\n{link}\n" in text.replace("\r\n", "\n")
    assert f'href="{link}"' in html
    assert ">Unsubscribe from these emails</a>" in html


async def test_a_digest_is_unsubscribed_from_by_its_class_whatever_its_members_are_about(
    sink: MailSink, relay: Relay
) -> None:
    message = await sent(sink, relay, about("4", subject="digest", members=2))
    found = unsubscribing.links().read(unsubscribing.token(link_of(message)))
    assert found == Subscription("acme", "ada", Channel.EMAIL, "enquiries", None)


async def test_urgent_mail_carries_no_link(sink: MailSink, relay: Relay) -> None:
    message = await sent(sink, relay, about("4", lane=Lane.URGENT))
    assert message["List-Unsubscribe"] is message["List-Unsubscribe-Post"] is None
    assert b"nsubscribe" not in relay.mails[-1][1]


async def test_a_link_of_any_length_fits_into_lines(sink: MailSink, relay: Relay) -> None:
    message = await sent(sink, relay, about(LONG, tenant=LONG, recipient=LONG))
    assert max(map(len, relay.mails[-1][1].split(b"\r\n"))) <= 998
    found = unsubscribing.links().read(unsubscribing.token(link_of(message)))
    assert found == Subscription(LONG, LONG, Channel.EMAIL, "enquiries", LONG)


async def test_the_signature_covers_both_headers(sink: MailSink, relay: Relay) -> None:
    made = about()
    target = Mailbox("ada@example.test", sender={"mail.dkim_selector": "s1", "mail.from": "alarms@acme.example"})
    message = await sent(sink, relay, Claim(made.request, 1, False, "Enquiries", made.notices, target))
    signed = re.sub(r"\s", "", str(message["DKIM-Signature"])).partition("h=")[2].partition(";")[0].lower().split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(signed)
