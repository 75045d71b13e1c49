"""What a request must keep to beyond the shape of its fields, and when it is due."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingest import documents, local_times
from shared import plugins
from shared.contract import known_options, template_params
from shared.contract.messages import FieldError
from shared.contract.outcomes import Channel
from shared.contract.requests import MAX_OPTIONS_BYTES, NotificationRequest
from shared.contract.web_addresses import is_web_address

LONGEST_AHEAD = timedelta(days=3_653)
"""A schedule or an end reaches at most ten years ahead; what is later is a mistake."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules say of a request.

    Attributes:
        due_at: when to release it (UTC); None for at once, or where the schedule means no instant.
        errors: what can never be.
        late: what could have been, had it come earlier.
    """

    due_at: datetime | None
    errors: tuple[FieldError, ...]
    late: tuple[FieldError, ...]


def findings(request: NotificationRequest, now: datetime) -> Findings:
    """Everything the rules say of a request at a time (aware)."""
    errors = [error for rule in _RULES for error in rule(request)]
    due_at = None
    if request.schedule is not None:
        try:
            due_at = local_times.instant(request.schedule.local, request.schedule.timezone)
        except local_times.NoInstantError as error:
            errors.append(_error("/schedule/timezone", "no_instant", str(error)))
    if due_at is not None and due_at > now + LONGEST_AHEAD:
        errors.append(_error("/schedule/local", "too_far", "is more than ten years ahead; choose an earlier time"))
    if request.expires_at is not None and request.expires_at > now + LONGEST_AHEAD:
        errors.append(
            _error("/expires_at", "too_far", "is more than ten years ahead; leave it out to keep the default")
        )
    return Findings(due_at, tuple(errors), tuple(_late(request, due_at, now)))


def _late(request: NotificationRequest, due_at: datetime | None, now: datetime) -> Iterator[FieldError]:
    if due_at is not None and due_at <= now:
        detail = f"is in the past ({due_at.isoformat()}); choose a later time or leave schedule out"
        yield _error("/schedule/local", "past", detail)
    if request.expires_at is not None and request.expires_at <= max(now, due_at or now):
        yield _error("/expires_at", "past", "has passed by the time of sending; choose a later time or leave it out")


def _reaches_somebody(request: NotificationRequest) -> Iterator[FieldError]:
    if not request.recipients and request.audience is None:
        yield _error("/recipients", "missing", "name at least one recipient, or an audience")


def _script_and_job_are_known(request: NotificationRequest) -> Iterator[FieldError]:
    if request.script != plugins.DEFAULT_SCRIPT and request.script not in plugins.names(plugins.Kind.SCRIPT):
        detail = "there is no such script here; install the package that offers it, or leave the field out"
        yield _error("/script", "unknown_script", detail)
    job = request.schedule.job if request.schedule else None
    if job is not None and job not in plugins.names(plugins.Kind.JOB):
        detail = "there is no such job here; install the package that offers it, or leave the field out"
        yield _error("/schedule/job", "unknown_job", detail)


def _options_are_small(request: NotificationRequest) -> Iterator[FieldError]:
    if request.options and len(documents.encoded(request.options) or b"") > MAX_OPTIONS_BYTES:
        yield _error("/options", "too_long", f"has more than {MAX_OPTIONS_BYTES:,} bytes as JSON; send less")


def _known_options_mean_something(request: NotificationRequest) -> Iterator[FieldError]:
    for name, detail in known_options.mistakes(request.options):
        yield _error(f"/options/{name}", "option", f"{detail}, or left out")


def _mail_is_whole(request: NotificationRequest) -> Iterator[FieldError]:
    mail = request.mail
    if mail is None:
        return
    if Channel.EMAIL not in request.channels:
        yield _error("/mail", "no_email", "is sent on the channel email; add email to channels, or leave mail out")
    if "email" in request.options:
        yield _error(
            "/options/email", "option", "means nothing with mail, which is sent at once; leave one of them out"
        )
    for name in sorted(template_params.PERSONAL & mail.params.keys()):
        yield _error(f"/mail/params/{name}", "personal", "is filled in for each recipient; leave it out")
    if mail.body_ref is not None and template_params.BODY in mail.params:
        detail = "is what body_ref names; leave one of them out"
        yield _error(f"/mail/params/{template_params.BODY}", "given_twice", detail)


def _links_are_safe(request: NotificationRequest) -> Iterator[FieldError]:
    links = [("/action_url", request.action_url)]
    links += [(f"/items/{index}/url", item.url) for index, item in enumerate(request.items)]
    for at, link in links:
        if link is not None and not is_web_address(link):
            yield _error(at, "url", "must be an absolute http or https address")


_RULES: tuple[Callable[[NotificationRequest], Iterable[FieldError]], ...] = (
    _reaches_somebody,
    _script_and_job_are_known,
    _options_are_small,
    _known_options_mean_something,
    _links_are_safe,
    _mail_is_whole,
)


def _error(at: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=at, code=code, detail=detail)
