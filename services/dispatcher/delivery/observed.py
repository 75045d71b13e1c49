"""What a lane's deliveries come to, as metrics."""

from collections.abc import Sequence

from services.dispatcher.delivery.claim_store import Claimed, Slot
from services.dispatcher.delivery.outcome_store import Recorded
from services.dispatcher.delivery.outcomes import Outcome
from services.dispatcher.metrics import Metrics
from shared.clock import Clock
from shared.contract.outcomes import AttemptOutcome, DeliveryState, Reason

_STAGE = "delivery"


class Observed:
    """Counts for one channel and lane."""

    def __init__(self, metrics: Metrics, slot: Slot, clock: Clock) -> None:
        labels = (slot.channel, slot.lane)
        self._metrics = metrics
        self._clock = clock
        self._attempts = {outcome: metrics.attempts.labels(*labels, outcome) for outcome in AttemptOutcome}
        self._seconds = metrics.delivery_seconds.labels(*labels)
        self._held = metrics.held_claims.labels(*labels)
        self._refused = metrics.refused_outcomes.labels(*labels)

    def held(self, claims: int) -> None:
        """How many claims are under way now."""
        self._held.set(claims)

    def claimed(self, claimed: Claimed) -> None:
        """Count what ended at its claim, and what nobody understood."""
        for ended in claimed.ended:
            self._dropped(ended.reason)
        for letter in claimed.poison:
            self._metrics.dead_letters.labels(letter.reason).inc()
            self._dropped(letter.reason)

    def recorded(self, batch: Sequence[Outcome], recorded: Recorded) -> None:
        """Count what was written of a batch of outcomes, and what was refused for an old fence."""
        now = self._clock.now()
        self._refused.inc(len(batch) - len(recorded.outcomes))
        for outcome in recorded.outcomes:
            if outcome.attempt is not None:
                self._attempts[outcome.attempt.outcome].inc()
            if outcome.state is DeliveryState.SENT:
                self._seconds.observe((now - outcome.claim.request.accepted_at).total_seconds())
            elif outcome.state is DeliveryState.DEAD:
                self._metrics.dead_letters.labels(outcome.reason).inc()
                self._dropped(outcome.reason)

    def _dropped(self, reason: Reason | None) -> None:
        self._metrics.dropped.labels(_STAGE, reason or Reason.INTERNAL).inc()
