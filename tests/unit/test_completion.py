"""When a notification has ended everywhere, and what its tenant's admins are told."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.dispatcher.runs import completion
from services.dispatcher.runs.completion import Admin, Standing, Tally
from shared.contract.outcomes import DeliveryState, Reason
from shared.contract.requests import NotificationRequest

SENT = Tally("push", DeliveryState.SENT, None, 3)
ENDED = Standing(UUID(int=1), "Team news", 4, 3, 3, 0, False, [SENT])


def requests(standing: Standing, *admins: Admin) -> list[NotificationRequest]:
    return [NotificationRequest.model_validate(body) for body in completion.reports(standing, admins)]


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


def test_the_mail_has_the_counts_by_reason_and_how_to_see_whose_and_is_a_valid_request() -> None:
    standing = replace(
        ENDED, name="N" * 255, meant=30, tallies=[
            SENT, Tally("push", DeliveryState.DEAD, "timeout", 25),
            Tally("email", DeliveryState.SKIPPED, "no_address", 2),
        ],
    )  # fmt: skip
    (request,) = requests(standing, Admin("ada", "en-GB"))
    text = request.description
    assert "- push: 25 dead (timeout), 3 sent" in text
    assert "- email: 2 skipped (no_address)" in text
    assert "- 27 expired before they began" in text
    assert text.endswith(f"\n\n`tocsin trace {standing.id}` tells what became of each delivery.")
    assert (request.channels, request.options) == (("email",), {"email": "immediate"})
    assert request.idempotency_key == f"completion/{standing.id}/en"


def test_each_admin_is_told_once_in_the_own_language() -> None:
    admins = [Admin("ada", "en-GB"), Admin("konrad", "de"), Admin("blaise", "fr_CA"), Admin("linus", "fi"),
              Admin("emmy", "de-AT")]  # fmt: skip
    told = requests(ENDED, *admins)
    assert [request.recipients for request in told] == [("konrad", "emmy"), ("ada", "linus"), ("blaise",)]
    assert [request.name for request in told] == ["Abgeschlossen: Team news", "Ended: Team news", "Terminé : Team news"]
    assert "- Push: 3 zugestellt" in told[0].description
    assert len({request.idempotency_key for request in told}) == 3
    assert requests(ENDED) == []


def test_with_every_reason_there_is_the_mail_still_ends_with_how_to_see_whose() -> None:
    tallies = [
        Tally(channel, state, reason, 1_000_000)
        for channel in ("push", "email") for state in DeliveryState for reason in Reason
    ]  # fmt: skip
    (request,) = requests(replace(ENDED, tallies=tallies, is_past=True), Admin("ada", None))
    assert len(request.description) == 4_096
    assert request.description.endswith("tells what became of each delivery.")


@pytest.mark.parametrize(("age", "wait"), [(0, 1), (5, 1), (100, 10), (86_400, 60)])
def test_looks_grow_apart_with_age(age: float, wait: float) -> None:
    assert completion.next_look_seconds(age) == wait
