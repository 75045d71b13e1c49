"""Mails that templates make of notifications (B7): prepared once, filled in for each recipient. Plain functions.

A large body is sanitised, tagged and encoded when the mail is prepared; in what is filled in for each recipient a word
stands for it, and the encoded body takes the word's place on the wire.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from services.dispatcher import rendering
from services.dispatcher.rendering import LargeBody, RenderedMail
from services.dispatcher.sinks import mime
from shared import links
from shared.contract import template_params
from shared.contract.mail_settings import Sender
from shared.contract.outcomes import Reason
from shared.contract.template_params import TemplateMail
from shared.templates import filling, html_of_senders, language
from shared.templates.filling import UnfillableError
from shared.templates.html_of_senders import Sanitised
from shared.templates.language import TemplateMistakeError

_LONGEST_SUBJECT = 256
"""Characters (seed 001, emailSubject)."""


class UnmakeableError(Exception):
    """There is no mail to be made: why in a word, and in a sentence for who redrives it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Prepared:
    """A mail but for what its recipients have of their own; `template` is HTML in the language of templates."""

    mail: TemplateMail
    template: str
    params: Mapping[str, str]
    body: LargeBody | None

    @property
    def size_bytes(self) -> int:
        """What it holds in memory, roughly."""
        large = 0 if self.body is None else len(self.body.encoded) + len(self.body.text)
        return large + len(self.template) + sum(len(value) for value in self.params.values())


def prepared(mail: TemplateMail, template: str, body: str | None) -> Prepared:
    """A mail with its large body, if it has one; takes seconds for ten million characters, so not on an event loop.

    Raises:
        UnmakeableError: the template is not of the language.
    """
    params = {template_params.SUBJECT: mail.subject, **mail.params}
    if body is None:
        return Prepared(mail, template, params, None)
    try:
        is_html = language.shows_as_html(template, template_params.BODY)
    except TemplateMistakeError as error:
        raise _unfillable(error) from error
    if not is_html:  # shown in a way of its own, the body has to be filled in for every recipient
        return Prepared(mail, template, {**params, template_params.BODY: body}, None)
    large = _large(body, mail.link_query)
    return Prepared(mail, template, {**params, template_params.BODY: Sanitised(large.stand_in)}, large)


def personal(first_name: str | None, sender: Sender, unsubscribe_address: str) -> dict[str, str]:
    """The params that a recipient has of its own, '' where there is nothing to say."""
    return {
        template_params.FIRST_NAME: first_name or "",
        template_params.DESKTOP_ADDRESS: sender.desktop_url or "",
        template_params.INTERACT_ADDRESS: sender.interact_url or "",
        template_params.UNSUBSCRIBE_ADDRESS: unsubscribe_address,
    }


def filled(of: Prepared, own: Mapping[str, str]) -> RenderedMail:
    """The mail for a recipient with these personal params; the campaign's tag stands in every link but its own.

    Raises:
        UnmakeableError: the template cannot be filled with these params.
    """
    try:
        html = filling.filled(of.template, {**of.params, **own})
    except (TemplateMistakeError, UnfillableError) as error:
        raise _unfillable(error) from error
    html = links.tagged_html(html, of.mail.link_query, but=own[template_params.UNSUBSCRIBE_ADDRESS])
    text = html_of_senders.text_of(html)
    if of.body is not None:
        text = text.replace(of.body.stand_in, of.body.text)
    return RenderedMail(rendering.one_line(of.mail.subject, _LONGEST_SUBJECT), html, text, of.body)


def _large(body: str, link_query: Mapping[str, str]) -> LargeBody:
    stand_in = "body" + hashlib.sha256(body.encode(errors="replace")).hexdigest()
    html = links.tagged_html(html_of_senders.sanitised(body), link_query)
    return LargeBody(stand_in, mime.base64_lines(html), html_of_senders.text_of(html))


def _unfillable(error: Exception) -> UnmakeableError:
    return UnmakeableError(Reason.TEMPLATE_UNFILLABLE, f"the template cannot be filled: {error}")
