"""What a notification is allowed to do and how long it lives, from its own words and its tenant's configuration."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from shared import plugins
from shared.contract import known_options
from shared.contract.importance import STANDARD_OPTIONS, Importance, ImportanceOptions, Lane
from shared.contract.messages import NEVER, Audience, NotificationAccepted
from shared.contract.outcomes import Channel, EmailPlan

PARTITIONED_DAYS = 35
"""Partitions reach this far ahead; what expires later lies in the partition 'infinity' with `remove_after`."""

IDENTITY_DAYS = 7
"""An identity outlives its notification by this much, so that deduplication outlives the record."""

_EMAIL_PLANS = {plan.value: plan for plan in EmailPlan}


@dataclass(frozen=True, slots=True)
class Configured:
    """What the tenants of a batch configured: class options by (tenant, class), importances by (tenant, name)."""

    classes: Mapping[tuple[str, str], dict[str, Any]]
    importances: Mapping[tuple[str, str], ImportanceOptions]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the installation configured.

    Attributes:
        default_window_seconds: the digest window of a class that sets none.
        fanout_threshold: recipients beyond which fan-out takes over.
        most_recipients: recipients that one transaction of intake writes.
        poison_limit_per_minute: dead letters a minute beyond which intake stops.
    """

    default_window_seconds: int
    fanout_threshold: int
    most_recipients: int
    poison_limit_per_minute: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Which channels were asked for, whether anything but the inbox is told, and when mail goes out.

    `left_to_script`: mail is what the notification's own script makes of it, as nothing else is said about mail.
    """

    channels: frozenset[Channel]
    send: bool
    email: EmailPlan
    window_seconds: int
    left_to_script: bool = False


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a notification's rows go: their partition, their end, and the sweep's date in the partition 'infinity'."""

    expires_on: date
    expires_at: datetime | None
    remove_after: datetime | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A notification as routing, its recipients' rows and its deliveries see it."""

    tenant: str
    id: UUID
    importance: Importance
    class_key: str
    lane: Lane
    accepted_at: datetime
    policy: Policy
    lifetime: Lifetime


@dataclass(frozen=True, slots=True)
class Plan:
    """An accepted notification with everything decided that its recipients have no say in.

    `options` are the class's overridden by its own; `fans_out` when it has too many recipients for one transaction;
    `identity_until` is the day until which the same request is recognised. `recipients` are those known by now, each
    once; `audience` is what is left to resolve to more of them.
    """

    message: NotificationAccepted
    options: dict[str, Any]
    subject: Subject
    fans_out: bool
    identity_until: date
    recipients: Sequence[str]
    audience: Audience | None


def plan_of(message: NotificationAccepted, configured: Configured, rules: Rules, now: datetime) -> Plan:
    """The plan of a notification taken in at `now`, which is its creation (C11 counts retention from there)."""
    options = overridden(configured.classes.get((message.tenant, message.class_key), {}), message.options)
    if message.mail is not None:  # a mail of its own waits for no window and is kept by no class
        options = {**options, "email": EmailPlan.IMMEDIATE.value}
    importance = importance_options(configured, message.tenant, message.importance)
    fans_out = len(message.recipients) > rules.fanout_threshold
    lifetime, identity_until = lifetime_of(
        message.expires_at, importance.retention, now, requires_action=message.requires_action
    )
    subject = Subject(
        message.tenant,
        message.notification_id,
        message.importance,
        message.class_key,
        Lane.BULK if fans_out and message.lane is Lane.ROUTINE else message.lane,
        message.accepted_at,
        policy_of(
            message.channels,
            options,
            send=importance.send,
            default_window_seconds=rules.default_window_seconds,
            script=message.script,
        ),
        lifetime,
    )
    recipients = list(dict.fromkeys(message.recipients))
    return Plan(message, options, subject, fans_out, identity_until, recipients, message.audience)


def with_audience(plan: Plan, members: Sequence[str], rules: Rules, *, complete: bool) -> Plan:
    """The plan once its audience was looked at: `members` are recipients too, `complete` when there are no others.

    Too many, or too many places to look for them, and fan-out walks the audience from its beginning.
    """
    recipients = list(dict.fromkeys([*plan.recipients, *members]))
    if complete and len(recipients) <= rules.fanout_threshold:
        return dataclasses.replace(plan, recipients=recipients, audience=None)
    lane = Lane.BULK if plan.message.lane is Lane.ROUTINE else plan.message.lane
    return dataclasses.replace(plan, fans_out=True, subject=dataclasses.replace(plan.subject, lane=lane))


def importance_options(configured: Configured, tenant: str, importance: Importance) -> ImportanceOptions:
    """The tenant's own options of an importance, else the standard ones (C2)."""
    return configured.importances.get((tenant, importance)) or STANDARD_OPTIONS[importance]


def overridden(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`base` extended and overridden by `own`, objects within objects too (C10)."""
    if not base or not own:
        return base or own
    return base | {
        key: overridden(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in own.items()
    }


def policy_of(
    channels: Iterable[Channel], options: Mapping[str, Any], *, send: bool, default_window_seconds: int, script: str
) -> Policy:
    """The policy that options name: `email` (immediate, digest, none) and `window_seconds`.

    Without `email` mail is what the script makes of it: the default script is the digest (C9), another makes its own.
    """
    asked = options.get("email")
    said = _EMAIL_PLANS.get(asked) if isinstance(asked, str) else None
    is_default = script == plugins.DEFAULT_SCRIPT
    email = said or (EmailPlan.DIGEST if is_default else EmailPlan.NONE)
    window = options.get("window_seconds")
    if not known_options.is_window(window):
        window = default_window_seconds
    return Policy(frozenset(channels), send, email, window, left_to_script=said is None and not is_default)


@lru_cache(maxsize=256)
def lifetime_of(
    expires_at: datetime | None, retention_days: int, now: datetime, *, requires_action: bool
) -> tuple[Lifetime, date]:
    """How long a notification taken in at `now` lives, and the day until which its identity is kept.

    It lives as long as its importance's retention, or up to its own end where that is sooner. With an open action it
    has no end but its own, until completion sets one. Remembered, since most of a batch share it.
    """
    ends = None if requires_action else now + timedelta(days=retention_days)
    if expires_at is not None:
        ends = expires_at if ends is None else min(ends, expires_at)
    if ends is None:
        return Lifetime(NEVER, None, None), NEVER
    last_day = _utc_day(max(ends, now))
    identity_until = last_day + min(timedelta(days=IDENTITY_DAYS), NEVER - last_day)
    far = last_day > _utc_day(now) + timedelta(days=PARTITIONED_DAYS)
    if requires_action or far:
        return Lifetime(NEVER, ends, ends), identity_until
    return Lifetime(last_day, ends, None), identity_until


def _utc_day(moment: datetime) -> date:
    try:
        return moment.astimezone(UTC).date()
    except OverflowError:  # the last hours of the year 9999, west of Greenwich
        return NEVER
