"""When a notification has ended everywhere, and what its tenant's admins are told."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.dispatcher.runs import completion
from services.dispatcher.runs.completion import Admin, Failure, Standing, Tally
from shared.contract.outcomes import DeliveryState
from shared.contract.requests import NotificationRequest

SENT = Tally("push", DeliveryState.SENT, None, 3)
ENDED = Standing(UUID(int=1), "Team news", 4, 3, 3, 0, False, [SENT])


def requests(standing: Standing, failures: list[Failure], *admins: Admin) -> list[NotificationRequest]:
    return [NotificationRequest.model_validate(body) for body in completion.reports(standing, failures, admins)]


@pytest.mark.parametrize(
    ("change", "has_ended"),
    [
        pytest.param({}, True, id="all sent"),
        pytest.param({"begun": 2}, False, id="one has not begun"),
        pytest.param({"undigested": 1}, False, id="one waits for its digest"),
        pytest.param({"tallies": [SENT, Tally("email", DeliveryState.RETRY, "timeout", 1)]}, False, id="a retry"),
        pytest.param({"tallies": [SENT, Tally("email", DeliveryState.LEASED, None, 1)]}, False, id="being sent"),
        pytest.param({"tallies": [SENT, Tally("email", DeliveryState.DEAD, "timeout", 1)]}, True, id="a failure"),
        pytest.param({"begun": 0, "is_past": True}, True, id="it has expired"),
        pytest.param({"meant": 0, "begun": 0, "tallies": []}, True, id="nothing was meant"),
    ],
)
def test_it_has_ended_when_nothing_is_under_way_or_still_to_begin(
    change: dict[str, Any],
    has_ended: bool,  # noqa: FBT001
) -> None:
    assert replace(ENDED, **change).has_ended is has_ended


def test_the_mail_has_the_counts_and_the_first_failures_and_is_a_valid_request() -> None:
    standing = replace(
        ENDED, name="N" * 255, meant=30, tallies=[
            SENT, Tally("push", DeliveryState.DEAD, "timeout", 25),
            Tally("email", DeliveryState.SKIPPED, "no_address", 2),
        ],
    )  # fmt: skip
    failures = [Failure(f"user-{number}", "push", "timeout") for number in range(21)]
    (request,) = requests(standing, failures, Admin("ada", "en-GB"))
    text = request.description
    assert "- push: 25 dead (timeout), 3 sent" in text
    assert "- email: 2 skipped (no_address)" in text
    assert "- 27 expired before they began" in text
    assert "The first 20 that failed:" in text
    assert ("user-19" in text, "user-20" in text) == (True, False)
    assert (request.channels, request.options) == (("email",), {"email": "immediate"})
    assert request.idempotency_key == f"completion/{standing.id}/en"


def test_each_admin_is_told_once_in_the_own_language() -> None:
    admins = [Admin("ada", "en-GB"), Admin("konrad", "de"), Admin("blaise", "fr_CA"), Admin("linus", "fi"),
              Admin("emmy", "de-AT")]  # fmt: skip
    told = requests(ENDED, [Failure("eve", "email", "timeout")], *admins)
    assert [request.recipients for request in told] == [("konrad", "emmy"), ("ada", "linus"), ("blaise",)]
    assert [request.name for request in told] == ["Abgeschlossen: Team news", "Ended: Team news", "Terminé : Team news"]
    assert "- Push: 3 zugestellt" in told[0].description
    assert "- eve: E-Mail, timeout" in told[0].description
    assert len({request.idempotency_key for request in told}) == 3
    assert requests(ENDED, []) == []


def test_the_longest_reasons_do_not_make_the_mail_too_long() -> None:
    failures = [Failure("u" * 255, "push", "timeout")] * 21
    (request,) = requests(ENDED, failures, Admin("ada", None))
    assert len(request.description) <= 4_096


@pytest.mark.parametrize(("age", "wait"), [(0, 1), (5, 1), (100, 10), (86_400, 60)])
def test_looks_grow_apart_with_age(age: float, wait: float) -> None:
    assert completion.next_look_seconds(age) == wait
