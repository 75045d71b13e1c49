"""sendNotification from a body to a request that may enter: gather what the directory says, decide; for both doors."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from services.ingest.acceptance import Valid
from services.ingest.dialects.sam import meaning, roles, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Fault, invalid
from services.ingest.dialects.sam.meaning import Facts
from services.ingest.dialects.sam.roles import Sender
from services.ingest.sam_store import SamStore
from shared import plugins
from shared.clock import Clock
from shared.contract.outcomes import Reason
from shared.errors import TransientError

_ANSWER_SECONDS = 3.0
"""Longest wait for the directory; beyond it the caller is told to come again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Meant:
    """A sendNotification that may enter, and to how many it goes as far as the door knows (version 2's answer)."""

    valid: Valid
    count: int


class SendNotifications:
    """Holds a body against the directory."""

    def __init__(self, store: SamStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def meant(self, tenant: str, sent: SendNotification, sender: Sender | None) -> Meant | list[Fault]:
        """What a body that keeps to every rule means; `sender` is None where the door itself is trusted.

        Raises:
            TransientError: the directory cannot be asked; nothing was done.
        """
        now = self._clock.now()
        due_at = rules.due_at(sent, now)
        jobs = plugins.names(plugins.Kind.JOB)
        faults = [*_not_built(sent), *rules.job_faults(sent, jobs), *([due_at] if isinstance(due_at, Fault) else [])]
        if faults or isinstance(due_at, Fault):
            return faults
        facts = await in_time(self._store.facts(tenant, sent))
        faults = [*_foreign(sender, facts), *meaning.faults(sent, facts)]
        if faults:
            return faults
        return Meant(meaning.valid(sent, facts, now, due_at), meaning.count(sent, facts))


async def in_time(asked: Awaitable[T]) -> T:
    """An answer of PostgreSQL; raises TransientError when it is not there soon."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asked
    except TimeoutError as error:
        raise TransientError("the directory did not answer in time", Reason.POSTGRES_UNAVAILABLE, 2.0) from error


def _foreign(sender: Sender | None, facts: Facts) -> list[Fault]:
    if sender is None or facts.company is None:
        return []
    fault = roles.may_send_to(sender, facts.company)
    return [] if fault is None else [fault]


def _not_built(sent: SendNotification) -> list[Fault]:
    if sent.email_template is None:
        return []
    return [invalid("emailTemplate", "is not supported by this release; leave the email fields out")]
