"""What a sendNotification must keep to beyond the shape of its fields: one rule for each sentence of the seed."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta

from services.ingest import local_times
from services.ingest.dialects.sam.body import LONGEST_MESSAGE, Kind, SendNotification
from services.ingest.dialects.sam.faults import Fault, invalid
from shared.contract import template_params, user_status
from shared.contract.web_addresses import UNSAFE_SCHEMES

MOST_USERS = 10
LONGEST_AHEAD = timedelta(days=3_653)
"""A schedule reaches at most ten years ahead; what is later is a mistake."""

_LONGEST_KEY = 255

_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):[^\s]+")
_WEB_ADDRESS = re.compile(r"https?://[^/?#\s]+", re.IGNORECASE)


def faults(sent: SendNotification) -> list[Fault]:
    """Everything the rules say of a body, whenever it comes."""
    return [fault for rule in _RULES for fault in rule(sent)]


def due_at(sent: SendNotification, now: datetime) -> datetime | Fault | None:
    """When to send it (UTC), None for at once; `now` is aware. It may have passed. Needs a body without `faults`."""
    if sent.schedule_timezone_id is None or sent.schedule_local_date_time is None:
        return None
    try:
        moment = local_times.instant(local_time(sent.schedule_local_date_time), sent.schedule_timezone_id)
    except local_times.NoInstantError as error:
        return invalid("scheduleLocalDateTime", str(error))
    if moment > now + LONGEST_AHEAD:
        return invalid("scheduleLocalDateTime", "is more than ten years ahead; choose an earlier time")
    return moment


def past_faults(due_at: datetime | None, now: datetime) -> list[Fault]:
    """What only time has made wrong of a schedule."""
    if due_at is None or due_at > now:
        return []
    return [invalid("scheduleLocalDateTime", f"is in the past ({due_at.isoformat()}); choose a later time")]


def key_faults(header: str, key: str) -> list[Fault]:
    """What is wrong with an idempotency key, by the name of its header."""
    if key.isprintable() and 1 <= len(key) <= _LONGEST_KEY:
        return []
    return [invalid(header, f"must be one line of 1 to {_LONGEST_KEY} characters")]


def job_faults(sent: SendNotification, jobs: Collection[str]) -> list[Fault]:
    """What is wrong with the job it names, `jobs` being those that are registered."""
    if sent.schedule_job_name is None or sent.schedule_job_name in jobs:
        return []
    return [invalid("scheduleJobName", "there is no such job here; install the package that offers it")]


def local_time(text: str) -> datetime:
    """The naive time that a text in ISO 8601 without offset says; raises ValueError for any other text."""
    if not _LOCAL.fullmatch(text):
        raise ValueError("not a local time")
    return datetime.fromisoformat(text)


def is_web_address(url: str) -> bool:
    """Whether a URL opens in a browser; others are deep links into an app."""
    return _WEB_ADDRESS.match(url) is not None


def _message_with_url(sent: SendNotification) -> Iterator[Fault]:
    length = len(sent.message) + len(sent.url or "")
    if len(sent.message) <= LONGEST_MESSAGE < length:
        yield invalid("message", f"has {length:,} characters with its url; both together may have {LONGEST_MESSAGE:,}")


def _url_leads_somewhere(sent: SendNotification) -> Iterator[Fault]:
    if sent.url is None:
        return
    matched = _ADDRESS.fullmatch(sent.url)
    scheme = matched[1].lower() if matched else ""
    if not scheme or scheme in UNSAFE_SCHEMES or (scheme in {"http", "https"} and not is_web_address(sent.url)):
        yield invalid("url", "must be an absolute web address or deep link, such as https://… or app://…")


def _values(sent: SendNotification) -> Iterator[Fault]:
    values = sent.values
    if sent.type is Kind.ASSET:  # the source: values "is not used at all"
        return
    if sent.type is Kind.USER and not 1 <= len(values or ()) <= MOST_USERS:
        yield invalid("values", f"must name 1 to {MOST_USERS} users, by login or e-mail, for type UN")
    elif values is not None and not values:
        yield invalid("values", "is empty; name at least one, or leave it out to mean all of them")


def _asset_is_named(sent: SendNotification) -> Iterator[Fault]:
    if sent.type is Kind.ASSET and sent.brochure_id is None:
        yield invalid("brochureId", "is required for type GA")


def _schedule_is_whole(sent: SendNotification) -> Iterator[Fault]:
    zone, local = sent.schedule_timezone_id, sent.schedule_local_date_time
    if sent.is_scheduled and zone is None:
        yield invalid("scheduleTimezoneId", "is required with scheduleLocalDateTime")
    if sent.is_scheduled and local is None:
        yield invalid("scheduleLocalDateTime", "is required with scheduleTimezoneId")
    if sent.schedule_job_name is not None and not sent.is_scheduled:
        yield invalid("scheduleJobName", "is only used with scheduling; give scheduleTimezoneId and "
                      "scheduleLocalDateTime too")  # fmt: skip
    if zone is not None and zone not in local_times.zones():
        yield invalid("scheduleTimezoneId", "is not one of GET /rest/refdata/timezones; check its spelling")


def _local_time_is_one(sent: SendNotification) -> Iterator[Fault]:
    if sent.schedule_local_date_time is None:
        return
    try:
        local_time(sent.schedule_local_date_time)
    except ValueError:
        yield invalid("scheduleLocalDateTime", "must be a date and time without offset, such as 2026-12-01T09:00:00")


def _email_is_whole(sent: SendNotification) -> Iterator[Fault]:
    if sent.email_template is None:
        return
    if not template_params.NAME.fullmatch(sent.email_template):
        yield invalid("emailTemplate", "is no name of a template; those have letters, digits, dots, underscores and "
                      "hyphens, and begin with a letter")  # fmt: skip
    if sent.email_subject is None:
        yield invalid("emailSubject", "is required with emailTemplate")


def _params_are_told_apart(sent: SendNotification) -> Iterator[Fault]:
    counts = Counter(param.key for param in sent.used_params)
    for key, count in counts.items():
        if count > 1:
            yield invalid("emailParams", f"has the key {key} {count} times; keep one of them")


def _user_fields(sent: SendNotification) -> Iterator[Fault]:
    given = {
        "userNotificationTypeId": sent.user_notification_type_id,
        "userNotificationTypeStatusId": sent.user_notification_type_status_id,
    }
    if sent.type is not Kind.USER:
        for field in (field for field, value in given.items() if value is not None):
            yield invalid(field, "is only used for type UN; leave it out")
    elif sent.user_notification_type_status_id not in {None, *user_status.BY_NUMBER}:
        known = ", ".join(f"{number}={name}" for number, name in user_status.BY_NUMBER.items())
        yield invalid("userNotificationTypeStatusId", f"must be one of {known}")


_RULES: tuple[Callable[[SendNotification], Iterable[Fault]], ...] = (
    _values,
    _message_with_url,
    _url_leads_somewhere,
    _asset_is_named,
    _schedule_is_whole,
    _local_time_is_one,
    _email_is_whole,
    _params_are_told_apart,
    _user_fields,
)
