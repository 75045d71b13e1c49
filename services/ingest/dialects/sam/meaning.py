"""From a sendNotification, and what the directory says about whom it names, to what Tocsin is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.ingest.acceptance import Valid
from services.ingest.dialects.sam import rules
from services.ingest.dialects.sam.body import Kind, SendNotification
from services.ingest.dialects.sam.faults import Exceptions, Fault, invalid
from services.ingest.mails import NOTHING, Lacking
from shared import links
from shared.contract import template_params, user_status
from shared.contract.directory import GroupKind
from shared.contract.importance import Importance
from shared.contract.messages import Audience, RelatedItem
from shared.contract.outcomes import Channel
from shared.contract.requests import Item, Mail, NotificationRequest, ScheduleRequest

SOURCE = "sendNotification"
SCHEDULES_SINCE = 3
"""From this version on every notification is scheduled, those for at once too, as the source itself does."""

_LONGEST_NAME = 255
_KEYS = {
    Kind.EVENT: (GroupKind.EVENT, GroupKind.EVENT_TEAM),
    Kind.SMART_LIBRARY: (GroupKind.SMART_LIBRARY, GroupKind.SMART_LIBRARY_ENTRY),
    Kind.TEAM: (GroupKind.COMPANY, GroupKind.TEAM),
    Kind.JOB: (GroupKind.COMPANY, GroupKind.JOB_GROUP),
    Kind.ASSET: (GroupKind.COMPANY, GroupKind.ASSET),
    Kind.USER: (GroupKind.COMPANY, GroupKind.COMPANY),
}
_UNKNOWN_KEY = {
    Kind.EVENT: (Exceptions.EVENT_SERVICE, "there is no such event"),
    Kind.SMART_LIBRARY: (Exceptions.SMART_LIB_NOT_FOUND, "there is no such smart library"),
}
_UNKNOWN_VALUES = {
    Kind.EVENT: (Exceptions.EVENT_SERVICE, "the event has no such team"),
    Kind.SMART_LIBRARY: (Exceptions.SMART_LIBRARY_SERVICE, "the smart library has no such entry"),
    Kind.TEAM: (Exceptions.INVALID_PARAMETER, "the company has no such team"),
    Kind.JOB: (Exceptions.INVALID_PARAMETER, "the company has no such job group"),
    Kind.ASSET: (Exceptions.INVALID_PARAMETER, "the company has no such asset"),
}


@dataclass(frozen=True, slots=True)
class Tag:
    """A campaign tag; `campaign` is the id of its campaign."""

    id: int
    campaign: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the directory says about whom a sendNotification names.

    Attributes:
        company: the company that the key is or belongs to; None where there is no such thing.
        unknown: those of the audience's ids that name no group.
        users: for each value of a UN notification the ids of the users it may mean.
        count: how many users the audience reaches now, which version 2 is answered; type UN came later. For later
            versions about how many, as far as lanes ask.
        tag: the campaign tag; None where none was named, or there is none.
        mail_lacks: what the mail cannot be made for.
    """

    company: str | None
    unknown: Sequence[str] = ()
    users: Mapping[str, Sequence[str]] | None = None
    count: int = 0
    tag: Tag | None = None
    mail_lacks: Lacking = NOTHING


@dataclass(frozen=True, slots=True)
class When:
    """The time it came (aware), and the time it is for, as `rules.due_at` says."""

    now: datetime
    due_at: datetime | None


def kinds_of(sent: SendNotification) -> tuple[GroupKind, GroupKind]:
    """What the key names, and the kind of group its values name."""
    return _KEYS[sent.type]


def audience_of(sent: SendNotification) -> Audience | None:
    """Whom it is for (docs/decisions/0014); None for type UN, which names users."""
    within, kind = _KEYS[sent.type]
    if sent.type is Kind.USER:
        return None
    ids = (str(sent.brochure_id),) if sent.type is Kind.ASSET else tuple(dict.fromkeys(sent.values or ()))
    if within is GroupKind.COMPANY:
        return Audience(kind=kind, company=sent.key, ids=ids)
    return Audience(kind=kind, parent=sent.key, ids=ids)


def faults(sent: SendNotification, facts: Facts) -> list[Fault]:
    """What cannot be because of what the directory says."""
    return [
        *_group_faults(sent, facts), *_user_faults(facts.users or {}), *_tag_faults(sent, facts),
        *_mail_faults(facts.mail_lacks),
    ]  # fmt: skip


def given(sent: SendNotification, body_ref: str | None) -> set[str]:
    """The names of all that the template is filled with besides what is personal."""
    return template_params.given((param.key for param in sent.used_params), body_ref)


def valid(sent: SendNotification, facts: Facts, when: When, body_ref: str | None) -> Valid:
    """What it asks for; `body_ref` names the emailBody it uses, if any.

    With `faults` in its facts it may only be the repeat of what was accepted before they came to be; as for that one,
    who is not known any more is left out.
    """
    by_schedule = sent.version >= SCHEDULES_SINCE
    request = NotificationRequest(
        source=SOURCE,
        name=_name(sent),
        description=sent.message,
        recipients=tuple(dict.fromkeys(ids[0] for ids in (facts.users or {}).values() if len(ids) == 1)),
        importance=Importance.INFO,
        asset=None if sent.brochure_id is None else str(sent.brochure_id),
        options=_options(sent),
        items=_items(sent, facts),
        channels=_channels(sent),
        schedule=_schedule(sent, when.now) if by_schedule else None,
        mail=_mail(sent, body_ref),
        completion_email=True,
    )
    query = _query(facts.tag)
    url = sent.url if sent.url is not None and rules.is_web_address(sent.url) else None
    # Tags make texts longer than a caller may send them.
    request = request.model_copy(
        update={
            "description": links.tagged_text(sent.message, query),
            "action_url": None if url is None else links.tagged(url, query),
        }
    )
    due_at = (when.due_at or when.now) if by_schedule else None
    return Valid(
        request, None, None, due_at, (), answered_count=None if by_schedule else facts.count, reached=facts.count,
        audience=audience_of(sent), touches=_touched(sent), link_query=query,
    )  # fmt: skip


def _group_faults(sent: SendNotification, facts: Facts) -> Iterator[Fault]:
    if facts.company is None:
        name, detail = _UNKNOWN_KEY.get(sent.type, (Exceptions.INVALID_PARAMETER, "there is no such company"))
        yield Fault(name, "key", detail)
    elif facts.unknown:
        name, detail = _UNKNOWN_VALUES[sent.type]
        field = "brochureId" if sent.type is Kind.ASSET else "values"
        yield Fault(name, field, f"{detail}: {_listed(facts.unknown)}")


def _user_faults(users: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    unknown = [value for value, ids in users.items() if not ids]
    unclear = [value for value, ids in users.items() if len(ids) > 1]
    if unknown:
        yield invalid("values", f"there is no user with this login or e-mail: {_listed(unknown)}")
    if unclear:
        yield invalid("values", f"several users have this e-mail, name one by login: {_listed(unclear)}")


def _tag_faults(sent: SendNotification, facts: Facts) -> Iterator[Fault]:
    if sent.campaign_tag_id is not None and facts.tag is None:
        yield invalid("campaignTagId", f"there is no tag {sent.campaign_tag_id}; make it with PUT /v1/tags/{{id}}")


def _mail_faults(lacking: Lacking) -> Iterator[Fault]:
    if lacking.template:
        yield invalid("emailTemplate", "there is no such template; make it with PUT /v1/templates/{name}")
    if lacking.params:
        yield invalid("emailParams", f"the template needs the params {_listed(lacking.params)}; give them too")
    if lacking.body:
        yield invalid("email-body", "there is no such body; upload it with POST /v1/bodies")


_MOST_LISTED = 20


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - _MOST_LISTED} more" if len(values) > _MOST_LISTED else ""
    return ", ".join(values[:_MOST_LISTED]) + more


def _name(sent: SendNotification) -> str:
    """A subject: that of the email, or the first line of the message that says something."""
    if sent.used_subject is not None:
        return sent.used_subject[:_LONGEST_NAME]
    lines = (" ".join(line.split()) for line in sent.message.splitlines())
    plain = next(filter(None, ("".join(filter(str.isprintable, line)) for line in lines)), "Notification")
    return plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 1] + "…"


def _channels(sent: SendNotification) -> tuple[Channel, ...]:
    """Inbox and push; mail only where a template makes one."""
    asked = (Channel.INBOX, Channel.PUSH)
    return asked if sent.email_template is None else (*asked, Channel.EMAIL)


def _mail(sent: SendNotification, body_ref: str | None) -> Mail | None:
    """The mail, without the values of params that something else takes the place of."""
    if sent.email_template is None or sent.used_subject is None:
        return None
    filled = template_params.PERSONAL | ({template_params.BODY} if body_ref else set())
    params = {param.key: param.value for param in sent.used_params if param.key not in filled}
    return Mail(template=sent.email_template, subject=sent.used_subject, params=params, body_ref=body_ref)


def _options(sent: SendNotification) -> dict[str, Any]:
    """What others of Tocsin's services read; nothing where nothing was said."""
    found: dict[str, Any] = {}
    if sent.user_notification_type_id is not None:
        found["type"] = str(sent.user_notification_type_id)
    if sent.user_notification_type_status_id is not None:
        found["status"] = user_status.BY_NUMBER[sent.user_notification_type_status_id].value
    return found


def _touched(sent: SendNotification) -> tuple[RelatedItem, ...]:
    """The entities whose Last Modified moves: the brochure and the smart entries that are named (B10)."""
    if not sent.update_entity_last_modified:
        return ()
    entries = dict.fromkeys(sent.values or ()) if sent.type is Kind.SMART_LIBRARY else ()
    named = [("smart_entry", entry) for entry in entries]
    named += [] if sent.brochure_id is None else [("brochure", str(sent.brochure_id))]
    return tuple(RelatedItem(table=table, id=entity) for table, entity in named)


def _items(sent: SendNotification, facts: Facts) -> tuple[Item, ...]:
    """What it is about, with its link: the brochure, else the event, library or company of the key."""
    if sent.url is None and sent.brochure_id is None:
        return ()
    table, about = ("brochure", str(sent.brochure_id)) if sent.brochure_id else (kinds_of(sent)[0].value, sent.key)
    item = Item(table=table, id=about, url=sent.url)
    tagged = None if sent.url is None else links.tagged(sent.url, _query(facts.tag))
    return (item.model_copy(update={"url": tagged}),)


def _query(tag: Tag | None) -> dict[str, str]:
    if tag is None:
        return {}
    return {"campaignTagId": str(tag.id), **({"campaignId": tag.campaign} if tag.campaign else {})}


def _schedule(sent: SendNotification, now: datetime) -> ScheduleRequest:
    """When, as it was asked for; for at once the time it is, in UTC."""
    if sent.schedule_timezone_id is None or sent.schedule_local_date_time is None:
        return ScheduleRequest(local=now.astimezone(UTC).replace(tzinfo=None), timezone="UTC")
    local = rules.local_time(sent.schedule_local_date_time)
    return ScheduleRequest(local=local, timezone=sent.schedule_timezone_id, job=sent.schedule_job_name)
