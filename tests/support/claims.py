"""Claims as the delivery loop hands them to a sink."""

import asyncio
import base64
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from services.dispatcher.delivery.ports import Claim, Mailbox, Notice, Webhook
from services.dispatcher.settings import Settings, SmtpSecurity
from shared.contract.importance import Importance, Lane
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel, NotificationState
from shared.contract.template_params import TemplateMail
from tests.support import unsubscribing

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def settings(**given: Any) -> Settings:
    """A dispatcher's settings with short bounds, for parts that are not asked for Kafka and PostgreSQL."""
    values = {
        "kafka_bootstrap": "unused:1", "postgres_dsn": "postgresql://unused", "send_timeout_seconds": 0.5,
        "webhook_connect_seconds": 0.3, "allowed_private_hosts": "127.0.0.1,localhost",
        "smtp_security": SmtpSecurity.NONE, "smtp_from": "Tocsin <tocsin@sender.example>",
        **unsubscribing.SETTINGS, **given,
    }  # fmt: skip
    return Settings(**values)


@dataclass
class StoredMails:
    """Where the mail sink finds a template's mail, for tests without PostgreSQL; counts how often it was asked."""

    stored: tuple[TemplateMail, str] | Exception = field(default_factory=lambda: RuntimeError("no mail of a template"))
    large: str | Exception = field(default_factory=lambda: RuntimeError("no large body"))
    asked: int = 0
    bodies_asked: int = 0
    answers: bool = True

    async def mail(self, request: DeliveryRequested) -> tuple[TemplateMail, str]:  # noqa: ARG002 - a port's
        """The mail that was given, or its error."""
        self.asked += 1
        if not self.answers:
            await asyncio.Event().wait()
        if isinstance(self.stored, Exception):
            raise self.stored
        return self.stored

    async def body(self, tenant: str, reference: str) -> str:  # noqa: ARG002 - a port's
        """The body that was given, or its error."""
        self.bodies_asked += 1
        if isinstance(self.large, Exception):
            raise self.large
        return self.large


def notice(**given: Any) -> Notice:
    """A notification as recipients are told it."""
    values: dict[str, Any] = {
        "id": uuid.uuid4(), "name": "Customer enquiry", "description": "Please **answer**",
        "importance": Importance.WARNING, "class_key": "enquiries", "css_class": None,
        "state": NotificationState.ACTION_REQUIRED, "action_url": "https://crm.example/4172",
        "items": [{"table": "incident", "id": "4172", "url": "https://crm.example/incident/4172"}],
        "created_at": CREATED, **given,
    }  # fmt: skip
    return Notice(**values)


def request(channel: Channel, **given: Any) -> DeliveryRequested:
    """A delivery asked for."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "id": uuid.uuid4(), "at": now, "tenant": "acme", "subject": "notification", "subject_id": uuid.uuid4(),
        "recipient": "ada", "endpoint": str(uuid.uuid4()) if channel is Channel.PUSH else "email", "channel": channel,
        "lane": Lane.URGENT, "attempt": 1, "accepted_at": now, "expires_on": date(2026, 11, 29), **given,
    }  # fmt: skip
    return DeliveryRequested(**values)


def push(address: str, **given: Any) -> Claim:
    """A claim for a webhook at an address."""
    return _claim(Channel.PUSH, Webhook(address, SECRET), **given)


def email(address: str, **given: Any) -> Claim:
    """A claim for a mail to an address."""
    return _claim(Channel.EMAIL, Mailbox(address, "Ada", "Lovelace"), **given)


def _claim(channel: Channel, target: Webhook | Mailbox, **given: Any) -> Claim:
    notices = given.pop("notices", (notice(),))
    holds, unshown = given.pop("holds", False), given.pop("unshown", ())
    templated = given.pop("templated", False)
    asked = request(channel, **{"subject_id": notices[0].id, **given})
    return Claim(asked, 1, holds, "Enquiries", notices, target, unshown, templated)
