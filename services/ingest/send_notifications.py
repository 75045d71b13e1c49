"""sendNotification from a body to a request that may enter: gather what the directory says, decide; for both doors."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from services.ingest.acceptance import Valid
from services.ingest.dialects.sam import faults, meaning, roles, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Fault
from services.ingest.dialects.sam.meaning import Facts, When
from services.ingest.dialects.sam.roles import Sender
from services.ingest.mails import MailAsked, Mails
from services.ingest.patience import in_time
from services.ingest.sam_store import SamStore
from services.ingest.store_mails import MailStore
from shared import plugins
from shared.clock import Clock
from shared.postgres import bodies


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key behind the names of what it is unique within, and the hash of the body it came with."""

    names: tuple[str, ...]
    payload_hash: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A body that keeps to every rule, as a door read it.

    Attributes:
        sender: who sends it; None where the door itself is trusted.
        body_ref: names an emailBody that was uploaded before, where the notification uses one.
        key: None where every request is a new one.
    """

    tenant: str
    sent: SendNotification
    sender: Sender | None
    body_ref: str | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Meant:
    """A sendNotification that may enter; with `late` faults, which `valid` has too, only as a repeat."""

    valid: Valid
    late: list[Fault]


class SendNotifications:
    """Holds a body against the directory and the templates; keeps its emailBody where it may enter."""

    def __init__(self, store: SamStore, bodies: MailStore, clock: Clock) -> None:
        self._store = store
        self._bodies = bodies
        self._mails = Mails(bodies)
        self._clock = clock

    async def meant(self, asked: Asked) -> Meant | list[Fault]:
        """What a body means, or what cannot be.

        What it names comes and goes as its time does: under a key that is late, not refused.

        Raises:
            TransientError: the directory cannot be asked; nothing was done.
        """
        sent, now = asked.sent, self._clock.now()
        due_at = rules.due_at(sent, now)
        late = rules.job_faults(sent, plugins.names(plugins.Kind.JOB))
        if isinstance(due_at, Fault):
            return [*late, due_at]
        late += rules.past_faults(due_at, now)
        if late and asked.key is None:
            return late
        facts = await self._facts(asked, due_at)
        late += meaning.faults(sent, facts)
        foreign = _foreign(asked.sender, facts)
        if foreign or (late and asked.key is None):
            return [*foreign, *late]
        body_ref = await self._body_ref(asked, _days(now, due_at), repeated=bool(late))
        valid = meaning.valid(sent, facts, When(now, due_at), body_ref)
        if asked.key is None:
            return Meant(valid, [])
        return Meant(
            dataclasses.replace(
                valid, key=asked.key.names, payload_hash=asked.key.payload_hash, late=faults.as_field_errors(late)
            ),
            late,
        )

    async def _facts(self, asked: Asked, due_at: datetime | None) -> Facts:
        sent = asked.sent
        facts = await in_time(self._store.facts(asked.tenant, sent, roles.confined_to(asked.sender)))
        if sent.email_template is None:
            return facts
        given = meaning.given(sent, asked.body_ref)
        mail = MailAsked(asked.tenant, sent.email_template, given, asked.body_ref, due_at)
        [lacking] = await self._mails.lacking([mail])
        return dataclasses.replace(facts, mail_lacks=lacking)

    async def _body_ref(self, asked: Asked, days: int, *, repeated: bool) -> str | None:
        """The name of the emailBody it uses, kept for so many days; that of a repeat was kept then."""
        if asked.sent.used_body is None:
            return asked.body_ref
        content = asked.sent.used_body.encode()
        if repeated:
            return bodies.reference(content).hex()
        return await self._bodies.keep_body(asked.tenant, content, days)


def _days(now: datetime, due_at: datetime | None) -> int:
    return 0 if due_at is None else (due_at - now).days + 1


def _foreign(sender: Sender | None, facts: Facts) -> list[Fault]:
    if sender is None or facts.company is None:
        return []
    fault = roles.may_send_to(sender, facts.company)
    return [] if fault is None else [fault]
