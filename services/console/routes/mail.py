"""`/v1/mail`: what came back of the mails that were sent, from providers and from mail servers."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StrictBool
from starlette.concurrency import run_in_threadpool

from services.console import mail_reports
from services.console.mail_reports import Finding, NoReportError
from services.console.shapes import Address, LongLine, unprocessable
from services.console.store import suppressions as store
from services.console.store.suppressions import Delivered
from shared.contract.requests import RequestModel, example
from shared.postgres import suppressions
from shared.postgres.pool import Connection, Pool, tenant_transaction
from shared.postgres.suppressions import Cause, Suppressed
from shared.runtime.authority import MailKey
from shared.runtime.large_bodies import LargeBodies

REPORTS_PATH = "/v1/mail/reports"
MAX_REPORT_BYTES = 16 * 1_048_576
"""A bounce may bring back the whole mail, and a mail may have ten million characters."""

_MOST_EVENTS = 1_000

_MESSAGE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class MailEvent(RequestModel):
    """What a provider says became of a mail after it took it.

    `delivery_id` is what stands before the @ of the mail's Message-ID. A bounce that is not permanent is only noted.
    """

    type: Literal["bounce", "complaint"]
    address: Address
    delivery_id: UUID | None = None
    permanent: StrictBool = True
    detail: LongLine = "told by the provider"


class MailEvents(RequestModel):
    """Events of a provider, in any order; repeating them changes nothing."""

    model_config = example({
        "events": [
            {"type": "bounce", "address": "ada@example.com", "permanent": True, "detail": "5.1.1 no such user"},
            {"type": "complaint", "address": "grace@example.com"},
        ]
    })  # fmt: skip

    events: Annotated[tuple[MailEvent, ...], Field(max_length=_MOST_EVENTS)]


class MailAnswer(BaseModel):
    """What was made of it: addresses `suppressed`, bounces `noted`, findings about no mail sent to who is named."""

    suppressed: int
    noted: int
    unmatched: int


class Mail:
    """Takes in bounces and complaints."""

    def __init__(self, pool: Pool, large: LargeBodies) -> None:
        self._pool = pool
        self._large = large

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(tags=["mail"])
        router.add_api_route("/v1/mail/events", self.events, methods=["POST"])
        router.add_api_route(REPORTS_PATH, self.report, methods=["POST"], openapi_extra=_MESSAGE)
        return router

    async def events(self, key: MailKey, told: MailEvents) -> MailAnswer:
        """Take in what a mail provider tells: permanent bounces and complaints suppress their address."""
        found = [
            Finding(Cause(event.type), (event.address,), event.delivery_id, event.permanent, event.detail)
            for event in told.events
        ]
        async with tenant_transaction(self._pool, key.tenant) as connection:
            return await _taken_in(connection, key.tenant, found, trusted=True)

    async def report(self, key: MailKey, request: Request) -> MailAnswer:
        """Take in a raw report, as a mail server hands it on: a bounce (RFC 3464) or a complaint (RFC 5965).

        Anybody can write such a mail, so it counts only when it names a delivery of this tenant: by the address it
        came to (`mail.bounces_to`), or by the Message-ID of the mail that it returns. And it counts for the address
        that this delivery was sent to, whatever other it names.
        """
        async with self._large.body_of(request, MAX_REPORT_BYTES) as message:
            try:
                found = await run_in_threadpool(mail_reports.findings, bytes(message))
            except NoReportError as error:
                raise unprocessable("", "no_report", str(error)) from error
        async with tenant_transaction(self._pool, key.tenant) as connection:
            return await _taken_in(connection, key.tenant, found, trusted=False)


async def _taken_in(connection: Connection, tenant: str, found: Sequence[Finding], *, trusted: bool) -> MailAnswer:
    ids = [finding.delivery for finding in found if finding.delivery is not None]
    named = [address for finding in found for address in finding.addresses]
    deliveries = await store.delivered(connection, tenant, ids, named)
    told: list[Suppressed] = []
    answer = MailAnswer(suppressed=0, noted=0, unmatched=0)
    for finding in found:
        about = None if finding.delivery is None else deliveries.get(finding.delivery)
        address = _address(finding, about, trusted=trusted)
        if address is None:
            answer.unmatched += 1
            continue
        if about is not None:
            event = "bounced" if finding.cause is Cause.BOUNCE else "complained"
            await store.tell(connection, tenant, about, event, finding.detail)
        if finding.is_permanent:
            told.append(Suppressed(tenant, address, finding.cause, finding.detail, about.id if about else None))
        else:
            answer.noted += 1
    await suppressions.add(connection, told)
    answer.suppressed = len({each.address.lower() for each in told})
    return answer


def _address(finding: Finding, about: Delivered | None, *, trusted: bool) -> str | None:
    """Whose address a finding is about: the one written to, which may have forwarded the mail.

    Where that is not known, only who is trusted is believed in naming another.
    """
    if about is not None and about.address is not None:
        return about.address
    return finding.addresses[0] if trusted and finding.addresses else None
