"""Whether the mail that a request asks for can be made: its template is there, its params suffice, its body is kept."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ingest.patience import in_time
from services.ingest.store_mails import MailStore
from shared.contract import template_params
from shared.contract.messages import FieldError


@dataclass(frozen=True, slots=True)
class MailAsked:
    """A mail that is asked for.

    `given` are the names of all that fills its template, `body_ref` names its large body, `due_at` is when it is sent
    (None: at once).
    """

    tenant: str
    template: str
    given: Collection[str]
    body_ref: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a mail cannot be made for: no such template, params that the template needs, no such body."""

    template: bool = False
    params: Sequence[str] = ()
    body: bool = False


NOTHING = Lacking()


class Mails:
    """Asks the record about mails."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def lacking(self, asked: Sequence[MailAsked]) -> list[Lacking]:
        """What each of these mails lacks; bodies that are there are kept until their mails are sent.

        Raises:
            TransientError: PostgreSQL does not answer in time.
        """
        required = await in_time(self._store.required({(each.tenant, each.template) for each in asked}))
        uses = [(each.tenant, each.body_ref, each.due_at) for each in asked if each.body_ref is not None]
        kept = await in_time(self._store.keep_on(uses)) if uses else set()
        found = []
        for each in asked:
            needed = required.get((each.tenant, each.template))
            params = template_params.lacking(needed or (), each.given)
            has_body = each.body_ref is None or (each.tenant, each.body_ref) in kept
            found.append(Lacking(needed is None, params, not has_body))
        return found


def field_errors(lacking: Lacking, at: str) -> Iterator[FieldError]:
    """What lacks, as errors of a native body that stands `at` a place of what was sent."""
    if lacking.template:
        detail = "there is no such template; make it with PUT /v1/templates/{name}, or correct the name"
        yield FieldError(pointer=f"{at}/mail/template", code="unknown_template", detail=detail)
    for name in lacking.params:
        yield FieldError(pointer=f"{at}/mail/params/{name}", code="missing", detail="the template needs this param")
    if lacking.body:
        detail = "there is no such body; upload it with POST /v1/bodies and send the id it answers"
        yield FieldError(pointer=f"{at}/mail/body_ref", code="unknown_body", detail=detail)
