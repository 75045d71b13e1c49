"""Email through a relay: a notification or a digest, rendered, and sent once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email.utils import parseaddr

import aiosmtplib

from services.dispatcher import rendering, templated
from services.dispatcher.delivery.ports import Busy, Claim, Mailbox, Notice, Receipt
from services.dispatcher.rendering import MailItem, MailRecipient, RenderedMail, Unshown
from services.dispatcher.settings import Settings
from services.dispatcher.sinks import mime, smtp
from services.dispatcher.sinks.signing import NoSignatureError, Signer
from services.dispatcher.sinks.smtp import Envelope, Progress
from services.dispatcher.sinks.templated_mails import Mails, TemplatedMails
from services.dispatcher.templated import UnmakeableError
from shared.clock import Clock
from shared.contract import mail_settings
from shared.contract.importance import STANDARD_OPTIONS, Lane
from shared.contract.mail_settings import MailSettingError, Sender
from shared.contract.messages import RelatedItem
from shared.contract.outcomes import AttemptOutcome, Channel, Reason
from shared.errors import TransientError
from shared.runtime.secret_file import SecretFile
from shared.unsubscribe import Subscription, UnsubscribeLinks

_QUICK_ITEMS = 10
"""A mail of so many notifications is written in a few milliseconds."""

_SLOWEST_BYTES_A_SECOND = 1_000_000
"""A relay may take this long over a large mail without being thought to hang."""

_AWAY_SECONDS = 2.0
"""What a template makes is asked for again after so long, where PostgreSQL does not say how long."""


class MailSink:
    """Sends mail through the configured relay, one at a time on each of a few connections."""

    single = True

    def __init__(self, connections: smtp.Connections, mails: Mails, settings: Settings, clock: Clock) -> None:
        self._open = connections
        self._templated = TemplatedMails(mails)
        self._clock = clock
        self._links = UnsubscribeLinks(SecretFile(settings.unsubscribe_secret_file), settings.inbox_public_url)
        self._timeout_seconds = settings.send_timeout_seconds
        self._from = settings.smtp_from
        self._sender = parseaddr(settings.smtp_from)[1]
        self._domain = self._sender.rpartition("@")[2]
        self._signer = Signer(settings.dkim_keys_folder)
        self.connections = settings.smtp_connections

    def destination(self, claim: Claim) -> str:  # noqa: ARG002 - every mail goes by the same relay
        """The relay: whatever the address, it is the one that is slow."""
        return "relay"

    async def send(self, claim: Claim) -> Receipt | Busy:
        """Render and send one mail; `Message-ID` is the delivery's identity, the same in every repeat."""
        progress = Progress()
        try:
            async with asyncio.timeout(self._timeout_seconds) as bound:
                made = await self._made(claim)
                if isinstance(made, Receipt | Busy):
                    return made
                envelope, message = made
                more_seconds = longer_seconds(self._timeout_seconds, len(message))
                bound.reschedule((bound.when() or 0.0) + more_seconds)
                return await self._sent(envelope, message, progress)
        except (aiosmtplib.SMTPException, OSError) as error:
            return _translated(error, progress)

    async def _made(self, claim: Claim) -> tuple[Envelope, bytes] | Receipt | Busy:
        """The mail as bytes and where it goes, or why there is none."""
        to = _mailbox(claim)
        try:
            sender = mail_settings.sender(to.sender)
            envelope = Envelope(self._return_path(sender, claim), mime.mailbox(to.address))
            return envelope, await self._message(claim, sender, envelope)
        except mime.UndeliverableAddressError as error:
            return Receipt(AttemptOutcome.FAILED, Reason.INVALID, str(error))
        except (MailSettingError, NoSignatureError) as error:  # an operator can mend it before the attempts run out
            return Receipt(AttemptOutcome.RETRY, Reason.SENDER_MISCONFIGURED, str(error))
        except UnmakeableError as error:
            return Receipt(AttemptOutcome.FAILED, error.reason, str(error))
        except TransientError as error:  # PostgreSQL could not record an attempt either
            return Busy(error.retry_after_seconds or _AWAY_SECONDS, str(error))

    def _return_path(self, sender: Sender, claim: Claim) -> str:
        if sender.bounces_to is None:
            return self._sender
        return mail_settings.return_path(sender.bounces_to, claim.request.id)

    async def _message(self, claim: Claim, sender: Sender, envelope: Envelope) -> bytes:
        message_id = f"{claim.request.id}@{self._domain}"  # the installation's, whatever the tenant sets meanwhile
        from_ = self._from if sender.from_ is None else mime.address(sender.from_)
        reply_to = None if sender.reply_to is None else mime.address(sender.reply_to)
        link = self._unsubscribe(claim)
        header = mime.Header(from_, envelope.recipient, message_id, self._clock.now(), reply_to, link)
        message = await self._written(header, claim, sender)
        if sender.dkim_selector is None:
            return message
        domain = self._domain if sender.from_ is None else sender.from_.domain
        return await self._signer.signed(message, claim.request.tenant, sender.dkim_selector, domain)

    async def _written(self, header: mime.Header, claim: Claim, sender: Sender) -> bytes:
        if not claim.templated:
            return await written(header, claim)
        own = templated.personal(_mailbox(claim).first_name, sender, header.unsubscribe or "")
        return await self._templated.written(header, claim.request, own)

    def _unsubscribe(self, claim: Claim) -> str | None:
        """The link that ends what the mail is about; nobody unsubscribes from what is urgent."""
        request, first = claim.request, claim.notices[0]
        if request.lane is Lane.URGENT:
            return None
        asset = first.asset if request.subject == "notification" else None
        about = Subscription(request.tenant, request.recipient, Channel.EMAIL, first.class_key, asset)
        return self._links.to(about)

    async def _sent(self, envelope: Envelope, message: bytes, progress: Progress) -> Receipt | Busy:
        try:
            return await self._once(envelope, message, progress, fresh=False)
        except (aiosmtplib.SMTPServerDisconnected, ConnectionError):
            if progress.handed_over or not progress.reused:
                raise
        # The relay had closed a connection that was idle: nothing was sent, and this says nothing about the mail.
        return await self._once(envelope, message, progress, fresh=True)

    async def _once(self, envelope: Envelope, message: bytes, progress: Progress, *, fresh: bool) -> Receipt | Busy:
        async with self._open.one(progress, fresh=fresh) as conversation:
            if envelope.utf8 and not conversation.utf8:
                return Receipt(AttemptOutcome.FAILED, Reason.UNSUPPORTED, "the relay takes ASCII addresses only")
            try:
                await smtp.transfer(conversation, envelope, message, progress)
            except smtp.RefusedError as refused:
                await smtp.reset(conversation)
                return smtp.refused(refused)
        return Receipt(AttemptOutcome.DELIVERED)


@contextlib.asynccontextmanager
async def open_sink(settings: Settings, mails: Mails, clock: Clock) -> AsyncIterator[MailSink]:
    """A sink with connections of its own, closed at the end; `mails` is where mails of templates are kept."""
    connections = smtp.Connections(settings, parseaddr(settings.smtp_from)[1].rpartition("@")[2])
    try:
        yield MailSink(connections, mails, settings, clock)
    finally:
        await connections.close()


def longer_seconds(timeout_seconds: float, size_bytes: int) -> float:
    """What a large mail may take beyond the time of any attempt; a lease outlasts twice that time, and some is left."""
    return min(size_bytes / _SLOWEST_BYTES_A_SECOND, 0.9 * timeout_seconds)


async def written(header: mime.Header, claim: Claim) -> bytes:
    """The mail as bytes; a large one is written beside the loop, which would keep all others waiting for it."""
    if len(claim.notices) > _QUICK_ITEMS:
        return await asyncio.to_thread(lambda: mime.message(header, rendered(claim, header.unsubscribe)))
    return mime.message(header, rendered(claim, header.unsubscribe))


def rendered(claim: Claim, unsubscribe: str | None = None) -> RenderedMail:
    """What the mail of a claim says."""
    to = _mailbox(claim)
    recipient = MailRecipient(to.first_name, to.last_name, to.locale, to.timezone, unsubscribe)
    items = [_item(notice) for notice in claim.notices]
    if claim.request.subject == "digest":
        unshown = Unshown(len(claim.unshown), sum(each.requires_action for each in claim.unshown))
        return rendering.digest_mail(claim.class_name, items, recipient, unshown)
    return rendering.immediate_mail(items[0], recipient)


def _item(notice: Notice) -> MailItem:
    css_class = STANDARD_OPTIONS[notice.importance].css_class if notice.css_class is None else notice.css_class
    return MailItem(
        notice.name,
        notice.description,
        notice.importance,
        css_class,
        notice.created_at,
        notice.state,
        notice.action_url,
        tuple(RelatedItem.model_validate(item) for item in notice.items),
    )


def _mailbox(claim: Claim) -> Mailbox:
    if not isinstance(claim.target, Mailbox):
        raise TypeError("the mail sink was given a claim for another channel")
    return claim.target


def _translated(error: Exception, progress: Progress) -> Receipt | Busy:
    """What a broken conversation means: until the final dot nothing was sent, after it nobody knows."""
    late = isinstance(error, TimeoutError)
    said = type(error).__name__
    if progress.handed_over:
        return Receipt(AttemptOutcome.AMBIGUOUS, Reason.TIMEOUT if late else Reason.AMBIGUOUS, said)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        answer = smtp.answered(aiosmtplib.SMTPResponse(error.code, error.message))
        if isinstance(answer, Busy):
            return answer
        said = answer.detail  # a refused greeting or login says nothing about this mail: again later
    return Receipt(AttemptOutcome.RETRY, Reason.TIMEOUT if late else Reason.DESTINATION_UNAVAILABLE, said)
