"""What the answer to an attempt means for its delivery: sent, again later, or given up. Plain functions of values."""

import dataclasses
from dataclasses import dataclass

from services.dispatcher.delivery.ports import Claim, Receipt
from shared.contract.outcomes import AttemptOutcome, DeliveryState, Reason
from shared.retry import Backoff

_LONGEST_RETRY_AFTER_SECONDS = 24 * 3_600.0
"""A destination may ask for more; a day later it is asked again all the same."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often an attempt is repeated, and how long after the last."""

    max_attempts: int
    backoff: Backoff


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is recorded of a claim.

    `attempt` is None where nothing was tried; then no attempt is spent either. `due_in_seconds` is set for RETRY.
    `seconds` is how long the attempt took.
    """

    claim: Claim
    state: DeliveryState
    reason: Reason | None = None
    due_in_seconds: float | None = None
    attempt: Receipt | None = None
    seconds: float = 0.0


def outcome_of(claim: Claim, receipt: Receipt, policy: Policy, seconds: float, chance: float) -> Outcome:
    """The outcome of an attempt that took `seconds`; `chance` in [0, 1) spreads the wait until the next."""
    state, reason = _meaning(claim, receipt, policy)
    due = None
    if state is DeliveryState.RETRY:
        asked = min(receipt.retry_after_seconds or 0.0, _LONGEST_RETRY_AFTER_SECONDS)
        due = policy.backoff.no_sooner_than(claim.request.attempt, chance, asked)
    return Outcome(claim, state, reason, due, receipt, seconds)


def _meaning(claim: Claim, receipt: Receipt, policy: Policy) -> tuple[DeliveryState, Reason | None]:
    if receipt.outcome is AttemptOutcome.DELIVERED:
        return DeliveryState.SENT, None
    if receipt.outcome is AttemptOutcome.FAILED:
        return DeliveryState.DEAD, receipt.reason
    if receipt.outcome is AttemptOutcome.AMBIGUOUS and claim.holds:
        return DeliveryState.DEAD, Reason.AMBIGUOUS
    if claim.request.attempt >= policy.max_attempts:
        return DeliveryState.DEAD, Reason.ATTEMPTS_EXHAUSTED
    return DeliveryState.RETRY, receipt.reason


def without_words(outcome: Outcome) -> Outcome:
    """The outcome without what the other side said."""
    attempt = outcome.attempt and dataclasses.replace(outcome.attempt, detail="")
    return dataclasses.replace(outcome, attempt=attempt)


def put_off(claim: Claim, reason: Reason, due_in_seconds: float) -> Outcome:
    """The outcome of a claim given back without an attempt."""
    return Outcome(claim, DeliveryState.RETRY, reason, due_in_seconds)
