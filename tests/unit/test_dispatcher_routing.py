"""Who gets a notification, on which channel, and why not."""

import pytest

from services.dispatcher import routing
from services.dispatcher.policy import Policy
from services.dispatcher.routing import Profile, Route, Skip
from shared.contract.outcomes import Channel, EmailPlan, Reason

INBOX, PUSH, EMAIL = Channel.INBOX, Channel.PUSH, Channel.EMAIL
ALL = frozenset(Channel)
FULL = Profile(is_system=False, has_address=True, push=("e1", "e2"))
BARE = Profile(is_system=False, has_address=False, push=())
ROBOT = Profile(is_system=True, has_address=False, push=())
NO_MAIL, NOW, DIGEST = EmailPlan.NONE, EmailPlan.IMMEDIATE, EmailPlan.DIGEST


def policy(channels: frozenset[Channel] = ALL, *, send: bool = True, email: EmailPlan = DIGEST) -> Policy:
    return Policy(channels, send, email, 900)


@pytest.mark.parametrize(
    ("profile", "asked", "expected"),
    [
        pytest.param(FULL, policy(), Route("ada", False, ("e1", "e2"), DIGEST), id="all that was asked for"),
        pytest.param(FULL, policy(email=NOW), Route("ada", False, ("e1", "e2"), NOW), id="mail at once"),
        pytest.param(
            FULL, policy(email=NO_MAIL),
            Route("ada", False, ("e1", "e2"), NO_MAIL, (Skip(EMAIL, Reason.CLASS_SENDS_NO_EMAIL),)),
            id="a class without mail",
        ),
        pytest.param(
            FULL, policy(send=False),
            Route("ada", False, (), NO_MAIL, (Skip(PUSH, Reason.SEND_NOT_SET), Skip(EMAIL, Reason.SEND_NOT_SET))),
            id="an importance that tells nobody",
        ),
        pytest.param(FULL, policy(frozenset({PUSH})), Route("ada", True, ("e1", "e2"), NO_MAIL), id="push alone"),
        pytest.param(FULL, policy(frozenset({EMAIL})), Route("ada", True, (), DIGEST), id="mail alone"),
        pytest.param(FULL, policy(frozenset({INBOX})), Route("ada", False, (), NO_MAIL), id="inbox alone"),
        pytest.param(
            BARE, policy(),
            Route("ada", False, (), NO_MAIL, (Skip(PUSH, Reason.NO_ENDPOINT), Skip(EMAIL, Reason.NO_ADDRESS))),
            id="nobody knows how to reach them",
        ),
        pytest.param(
            ROBOT, policy(),
            Route("ada", True, (), NO_MAIL, tuple(Skip(channel, Reason.SYSTEM_USER) for channel in Channel)),
            id="a system user has neither inbox nor address",
        ),
        pytest.param(
            ROBOT._replace(push=("e9",)), policy(frozenset({PUSH})), Route("ada", True, ("e9",), NO_MAIL),
            id="a system user with a webhook is told there",
        ),
        pytest.param(
            None, policy(frozenset({PUSH, INBOX})),
            Route("ada", True, (), NO_MAIL,
                  (Skip(INBOX, Reason.UNKNOWN_RECIPIENT), Skip(PUSH, Reason.UNKNOWN_RECIPIENT))),
            id="unknown on every channel asked for",
        ),
    ],
)  # fmt: skip
def test_a_route_follows_from_policy_and_profile(profile: Profile | None, asked: Policy, expected: Route) -> None:
    assert routing.route_of("ada", profile, asked) == expected
