"""What the scheduler counts."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.contract.importance import Lane
from shared.contract.outcomes import AttemptOutcome, Channel
from shared.runtime import metrics

_LATENESS_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)


class Kind(StrEnum):
    """What the scheduler produces."""

    SCHEDULE = "schedule"
    RETRY = "retry"
    UNCLAIMED = "unclaimed"
    OUTBOX = "outbox"


class Metrics:
    """The scheduler's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.oldest_pending = metrics.oldest_pending_gauge(registry)
        self.dead_letters = metrics.dead_letters_counter(registry)
        self._attempts = metrics.attempts_counter(registry)
        self.released = Counter(
            "tocsin_released_total", "What was due and has been produced.", ["kind"], registry=registry
        )
        self.lateness = Histogram(
            "tocsin_release_lateness_seconds", "Seconds from due to produced.", ["kind"],
            buckets=_LATENESS_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip
        for kind in Kind:
            self.released.labels(kind)
        for kind in (Kind.SCHEDULE, Kind.RETRY):
            self.lateness.labels(kind)

    def ambiguous(self, channel: Channel, lane: Lane) -> None:
        """Count an attempt whose outcome nobody recorded."""
        self._attempts.labels(channel, lane, AttemptOutcome.AMBIGUOUS).inc()
