"""sendNotification from a body to a request that may enter: gather what the directory says, decide; for both doors."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from services.ingest.acceptance import Valid
from services.ingest.dialects.sam import meaning, roles, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Fault
from services.ingest.dialects.sam.meaning import Facts
from services.ingest.dialects.sam.roles import Sender
from services.ingest.mails import MailAsked, Mails
from services.ingest.patience import in_time
from services.ingest.sam_store import SamStore
from services.ingest.store_mails import MailStore
from shared import plugins
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Meant:
    """A sendNotification that may enter; `count` is to how many it goes, which only version 2 is answered."""

    valid: Valid
    count: int | None


class SendNotifications:
    """Holds a body against the directory and the templates; keeps its emailBody where it may enter."""

    def __init__(self, store: SamStore, bodies: MailStore, clock: Clock) -> None:
        self._store = store
        self._bodies = bodies
        self._mails = Mails(bodies)
        self._clock = clock

    async def meant(
        self, tenant: str, sent: SendNotification, sender: Sender | None, body_ref: str | None = None
    ) -> Meant | list[Fault]:
        """What a body that keeps to every rule means; `sender` is None where the door itself is trusted.

        `body_ref` names an emailBody that was uploaded before, where the notification uses one.

        Raises:
            TransientError: the directory cannot be asked; nothing was done.
        """
        now = self._clock.now()
        due_at = rules.due_at(sent, now)
        jobs = plugins.names(plugins.Kind.JOB)
        faults = [*rules.job_faults(sent, jobs), *([due_at] if isinstance(due_at, Fault) else [])]
        if faults or isinstance(due_at, Fault):
            return faults
        facts = await in_time(self._store.facts(tenant, sent, roles.confined_to(sender)))
        if sent.email_template is not None:
            given = meaning.given(sent, body_ref)
            [lacking] = await self._mails.lacking([MailAsked(tenant, sent.email_template, given, body_ref, due_at)])
            facts = dataclasses.replace(facts, mail_lacks=lacking)
        faults = [*_foreign(sender, facts), *meaning.faults(sent, facts)]
        if faults:
            return faults
        if sent.used_body is not None:
            body_ref = await self._bodies.keep_body(tenant, sent.used_body.encode(), _days(now, due_at))
        meant = meaning.valid(sent, facts, meaning.When(now, due_at), body_ref)
        return Meant(meant, None if sent.version >= meaning.SCHEDULES_SINCE else meaning.count(sent, facts))


def _days(now: datetime, due_at: datetime | None) -> int:
    return 0 if due_at is None else (due_at - now).days + 1


def _foreign(sender: Sender | None, facts: Facts) -> list[Fault]:
    if sender is None or facts.company is None:
        return []
    fault = roles.may_send_to(sender, facts.company)
    return [] if fault is None else [fault]
