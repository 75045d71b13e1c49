"""What the answer to an attempt means for its delivery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.delivery import outcomes
from services.dispatcher.delivery.outcomes import Policy
from services.dispatcher.delivery.ports import Receipt
from shared.contract.outcomes import AttemptOutcome, DeliveryState, Reason
from shared.retry import Backoff
from tests.support import claims

POLICY = Policy(max_attempts=5, backoff=Backoff(first_seconds=2, longest_seconds=60))
DELIVERED, RETRY, FAILED, AMBIGUOUS = AttemptOutcome

MEANINGS = [
    (DELIVERED, None, 1, False, DeliveryState.SENT, None),
    (DELIVERED, None, 5, True, DeliveryState.SENT, None),
    (RETRY, Reason.RATE_LIMITED, 1, False, DeliveryState.RETRY, Reason.RATE_LIMITED),
    (RETRY, Reason.TIMEOUT, 4, True, DeliveryState.RETRY, Reason.TIMEOUT),
    (RETRY, Reason.TIMEOUT, 5, False, DeliveryState.DEAD, Reason.ATTEMPTS_EXHAUSTED),
    (FAILED, Reason.DESTINATION_REFUSED, 1, False, DeliveryState.DEAD, Reason.DESTINATION_REFUSED),
    (AMBIGUOUS, Reason.TIMEOUT, 1, False, DeliveryState.RETRY, Reason.TIMEOUT),
    (AMBIGUOUS, Reason.TIMEOUT, 1, True, DeliveryState.DEAD, Reason.AMBIGUOUS),
    (AMBIGUOUS, Reason.TIMEOUT, 5, False, DeliveryState.DEAD, Reason.ATTEMPTS_EXHAUSTED),
]


@pytest.mark.parametrize(("answer", "said", "attempt", "holds", "state", "reason"), MEANINGS)
def test_an_answer_ends_a_delivery_or_repeats_it(
    answer: AttemptOutcome,
    said: Reason | None,
    attempt: int,
    state: DeliveryState,
    reason: Reason | None,
    *,
    holds: bool,
) -> None:
    claim = claims.push("https://hooks.example/", attempt=attempt, holds=holds)
    outcome = outcomes.outcome_of(claim, Receipt(answer, said), POLICY, 0.5, 0.0)
    assert (outcome.state, outcome.reason, outcome.seconds) == (state, reason, 0.5)
    assert (outcome.due_in_seconds is not None) == (state is DeliveryState.RETRY)


@given(st.integers(1, 4), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e9))
def test_a_repeat_comes_no_sooner_than_asked_and_within_a_day(attempt: int, chance: float, asked: float | None) -> None:
    claim = claims.push("https://hooks.example/", attempt=attempt)
    receipt = Receipt(RETRY, Reason.RATE_LIMITED, retry_after_seconds=asked)
    due = outcomes.outcome_of(claim, receipt, POLICY, 0.1, chance).due_in_seconds
    assert due is not None
    assert due >= min(asked or 0.0, 86_400.0)
    assert 2.0**attempt / 2 <= due <= 86_400.0


def test_a_claim_that_is_put_off_spends_nothing() -> None:
    outcome = outcomes.put_off(claims.push("https://hooks.example/"), Reason.DESTINATION_FULL, 3.0)
    assert (outcome.state, outcome.attempt, outcome.due_in_seconds) == (DeliveryState.RETRY, None, 3.0)
