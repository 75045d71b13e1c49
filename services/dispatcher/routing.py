"""Who gets a notification, on which channel, now or in a digest, and why not: plain functions of values."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.dispatcher.policy import Policy, Subject
from shared.contract.outcomes import Channel, EmailPlan, Reason


class Profile(NamedTuple):
    """What the directory says of a recipient; `push` are the ids of the active push endpoints."""

    is_system: bool
    has_address: bool
    push: tuple[str, ...]


class Skip(NamedTuple):
    """A channel that was asked for and will not be used, and why; it has no endpoint, so the channel stands for it."""

    channel: Channel
    reason: Reason


class Route(NamedTuple):
    """What was decided for one recipient; `hidden` keeps its item out of the inbox."""

    recipient: str
    hidden: bool
    push: tuple[str, ...]
    email: EmailPlan
    skips: tuple[Skip, ...] = ()


class Routed(NamedTuple):
    """A notification and the routes of some or all of its recipients."""

    subject: Subject
    routes: list[Route]


def routed(subject: Subject, recipients: Iterable[str], profiles: Mapping[tuple[str, str], Profile]) -> Routed:
    """The routes of recipients, each once, by their profiles under (tenant, recipient); no profile means unknown."""
    tenant, policy = subject.tenant, subject.policy
    return Routed(
        subject,
        [route_of(recipient, profiles.get((tenant, recipient)), policy) for recipient in dict.fromkeys(recipients)],
    )


def route_of(recipient: str, profile: Profile | None, policy: Policy) -> Route:
    """The route of one recipient; every channel asked for is in it or among its skips."""
    if profile is None:
        skips = tuple(Skip(channel, Reason.UNKNOWN_RECIPIENT) for channel in Channel if channel in policy.channels)
        return Route(recipient, True, (), EmailPlan.NONE, skips)
    inbox, push, email = _why_no_inbox(profile, policy), _why_no_push(profile, policy), _why_no_email(profile, policy)
    return Route(
        recipient,
        inbox is not None,
        () if push else profile.push,
        EmailPlan.NONE if email else policy.email,
        _skips(inbox, push, email),
    )


def _skips(inbox: Reason | None, push: Reason | None, email: Reason | None) -> tuple[Skip, ...]:
    if not (inbox or push or email):
        return ()
    why_not = ((Channel.INBOX, inbox), (Channel.PUSH, push), (Channel.EMAIL, email))
    return tuple(Skip(channel, reason) for channel, reason in why_not if reason and reason is not _NOT_ASKED)


_NOT_ASKED = Reason.CHANNEL_NOT_ASKED
"""The one reason that leaves no row: what nobody asked for is not missing."""


def _why_no_inbox(profile: Profile, policy: Policy) -> Reason | None:
    if Channel.INBOX not in policy.channels:
        return _NOT_ASKED
    return Reason.SYSTEM_USER if profile.is_system else None


def _why_no_push(profile: Profile, policy: Policy) -> Reason | None:
    if Channel.PUSH not in policy.channels:
        return _NOT_ASKED
    if not policy.send:
        return Reason.SEND_NOT_SET
    if not profile.push:
        return Reason.SYSTEM_USER if profile.is_system else Reason.NO_ENDPOINT
    return None


def _why_no_email(profile: Profile, policy: Policy) -> Reason | None:
    if Channel.EMAIL not in policy.channels:
        return _NOT_ASKED
    if not policy.send:
        return Reason.SEND_NOT_SET
    if policy.email is EmailPlan.NONE:
        return Reason.LEFT_TO_SCRIPT if policy.left_to_script else Reason.CLASS_SENDS_NO_EMAIL
    if not profile.has_address:
        return Reason.SYSTEM_USER if profile.is_system else Reason.NO_ADDRESS
    return None
