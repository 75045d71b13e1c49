"""The mails of templates, as bytes: what many recipients have in common is fetched and prepared once, and held."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from uuid import UUID

from services.dispatcher import templated
from services.dispatcher.sinks import mime
from services.dispatcher.templated import Prepared, UnmakeableError
from shared.contract.messages import DeliveryRequested
from shared.contract.template_params import TemplateMail

_HELD_SECONDS = 60.0
"""So long a change of the template may not be seen by what was accepted before it."""
_MOST_HELD = 1_000
_MOST_HELD_BYTES = 64 * 1_048_576


class Mails(Protocol):
    """Where mails of templates are kept; see store_mails.MailStore."""

    async def mail(self, request: DeliveryRequested) -> tuple[TemplateMail, str]:
        """The mail of a delivery's notification, and the HTML of its template."""

    async def body(self, tenant: str, reference: str) -> str:
        """A large body."""


class _Held(NamedTuple):
    until: float
    prepared: Prepared


class TemplatedMails:
    """Writes mails of templates for one sink."""

    def __init__(self, mails: Mails) -> None:
        self._mails = mails
        self._held: OrderedDict[UUID, _Held] = OrderedDict()
        self._large = asyncio.Lock()

    async def written(self, header: mime.Header, request: DeliveryRequested, own: Mapping[str, str]) -> bytes:
        """The mail of a delivery, filled with its recipient's own params beside the event loop.

        Raises:
            UnmakeableError: there is nothing to make it of.
            TransientError: PostgreSQL is away.
        """
        prepared = await self._prepared(request)
        try:
            return await asyncio.to_thread(lambda: mime.message(header, templated.filled(prepared, own)))
        except UnmakeableError:
            self._held.pop(request.subject_id, None)  # whoever mends the template wants it looked at again
            raise

    async def _prepared(self, request: DeliveryRequested) -> Prepared:
        if (known := self._known(request.subject_id)) is not None:
            return known
        mail, html = await self._mails.mail(request)
        if mail.body_ref is None:
            return self._keep(request.subject_id, templated.prepared(mail, html, None))
        async with self._large:  # one at a time: each is in memory several times while it is prepared
            if (known := self._known(request.subject_id)) is not None:
                return known
            body = await self._mails.body(request.tenant, mail.body_ref)
            return self._keep(request.subject_id, await asyncio.to_thread(templated.prepared, mail, html, body))

    def _known(self, notification: UUID) -> Prepared | None:
        held = self._held.get(notification)
        if held is None or held.until < _now():
            return None
        self._held.move_to_end(notification)
        return held.prepared

    def _keep(self, notification: UUID, prepared: Prepared) -> Prepared:
        self._held[notification] = _Held(_now() + _HELD_SECONDS, prepared)
        self._held.move_to_end(notification)
        size = sum(each.prepared.size_bytes for each in self._held.values())
        while len(self._held) > _MOST_HELD or (size > _MOST_HELD_BYTES and len(self._held) > 1):
            size -= self._held.popitem(last=False)[1].prepared.size_bytes
        return prepared


def _now() -> float:
    return asyncio.get_running_loop().time()
