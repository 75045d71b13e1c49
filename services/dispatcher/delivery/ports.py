"""What a sink is given, what it answers, and what it promises: the port between the delivery loop and the channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from shared.contract.importance import Importance
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import AttemptOutcome, NotificationState, Reason


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification as its recipients are told it.

    `css_class` is what the tenant made of the importance's, None for the standard one. `items` are related items by
    their wire names (table, id, url). `created_at` is aware.
    `asset` is what it is about, where its sender said so.
    """

    id: UUID
    name: str
    description: str
    importance: Importance
    class_key: str
    css_class: str | None
    state: NotificationState
    action_url: str | None
    items: Sequence[Mapping[str, Any]]
    created_at: datetime
    asset: str | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A push endpoint: where, and the secret that signs what is sent there (`whsec_…`)."""

    address: str
    secret: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A recipient's mail address, and what a mail to it is made for; `sender` has the tenant's `mail.` properties."""

    address: str
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    sender: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Unshown:
    """A digest's member beyond what one mail shows: it is counted, and was sent with the others."""

    id: UUID
    requires_action: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery this process holds the lease of.

    `fence` guards its outcome. `notices` is the notification, or the members of a digest that are still valid, in the
    order the tenant presents them (C3); of a large one those that the mail shows, and `unshown` are the others.
    `class_name` is the communication class as people read it. `holds`: after an ambiguous attempt nothing is
    repeated (option `on_ambiguous: hold`, of a digest's notices that of any). `templated`: the mail is what a template
    makes of the notification.
    """

    request: DeliveryRequested
    fence: int
    holds: bool
    class_name: str
    notices: tuple[Notice, ...]
    target: Webhook | Mailbox
    unshown: tuple[Unshown, ...] = ()
    templated: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one attempt.

    `detail` is what the other side said, without addresses. `retry_after_seconds` is what it asked for. `gone`: the
    endpoint said it will never take anything again. `no_mailbox`: the relay said that there is no such address.
    """

    outcome: AttemptOutcome
    reason: Reason | None = None
    detail: str = ""
    retry_after_seconds: float | None = None
    gone: bool = False
    no_mailbox: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """The destination asked to be left alone for a while (`detail` in its words); no attempt is spent."""

    seconds: float
    detail: str = ""


class Sink(Protocol):
    """A channel's way out."""

    connections: int
    """How many sends to one destination may be under way at a time."""

    single: bool
    """Whether all deliveries have one destination; then reading waits for it, since there is nobody to get past it."""

    def destination(self, claim: Claim) -> str:
        """Whose slowness this delivery would suffer: the host it goes to."""

    async def send(self, claim: Claim) -> Receipt | Busy:
        """Try once: no retry, no metric, no SQL in here.

        It takes less than twice `send_timeout_seconds`, which a lease outlasts. What is expected to go wrong comes back
        as a receipt, never as an exception. AMBIGUOUS is said of everything that may have arrived, and of nothing else.
        """
