"""What mails of templates are made of, as it is stored; asked for once a notification, not once a delivery."""

from services.dispatcher.templated import UnmakeableError
from shared.contract import template_params
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Reason
from shared.contract.template_params import TemplateMail
from shared.postgres import templates
from shared.postgres.pool import Pool, transient_when_away

_MAIL = "SELECT mail FROM notifications WHERE tenant = $1 AND id = $2 AND expires_on = $3"
_BODY = "SELECT content FROM bodies WHERE tenant = $1 AND hash = decode($2, 'hex')"


class MailStore:
    """Reads mails of templates, as the dispatcher's role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def mail(self, request: DeliveryRequested) -> tuple[TemplateMail, str]:
        """The mail of a delivery's notification, and the HTML of its template.

        Raises:
            UnmakeableError: either is gone.
            TransientError: PostgreSQL is away.
        """
        with transient_when_away():
            found = await self._pool.fetchval(_MAIL, request.tenant, request.subject_id, request.expires_on)
        if found is None:
            raise UnmakeableError(Reason.ORIGINAL_GONE, "the record of the notification is gone")
        mail = TemplateMail.model_validate(found)
        given = template_params.given(mail.params, mail.body_ref)
        html = await templates.html(self._pool, request.tenant, mail.template, given)
        if html is None:
            detail = f"no version of the template {mail.template} can be filled with what was sent; put one that can"
            raise UnmakeableError(Reason.TEMPLATE_UNFILLABLE, detail)
        return mail, html

    async def body(self, tenant: str, reference: str) -> str:
        """A large body.

        Raises:
            UnmakeableError: it is gone.
            TransientError: PostgreSQL is away.
        """
        with transient_when_away():
            content: bytes | None = await self._pool.fetchval(_BODY, tenant, reference)
        if content is None:
            detail = f"the body {reference} is gone; upload the same text again (POST /v1/bodies)"
            raise UnmakeableError(Reason.BODY_GONE, detail)
        return content.decode(errors="replace")
