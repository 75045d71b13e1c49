"""The digest service's metrics, declared once."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.contract.outcomes import Reason
from shared.runtime import metrics

_LATENESS_BUCKETS_SECONDS = (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600)
LEFT_OUT = (
    Reason.CANCELLED, Reason.EXPIRED, Reason.DISMISSED, Reason.COMPLETED,
    Reason.UNKNOWN_RECIPIENT, Reason.SYSTEM_USER, Reason.NO_ADDRESS, Reason.UNSUBSCRIBED,
)  # fmt: skip


class Trigger(StrEnum):
    """What had a window flushed: its timer, or the search for what timers missed."""

    TIMER = "timer"
    OVERDUE = "overdue"


class Metrics:
    """What the digest service counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lateness = Histogram(
            "tocsin_digest_lateness_seconds", "Seconds from a window's due time to its flush.",
            buckets=_LATENESS_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip
        self.flushed = Counter(
            "tocsin_digest_windows_flushed_total", "Windows flushed.", ["trigger"], registry=registry
        )
        for trigger in Trigger:
            self.flushed.labels(trigger)
        self.digests = Counter("tocsin_digests_total", "Digests that became a mail.", registry=registry)
        self.members = Counter("tocsin_digest_members_total", "Items that stood in digests.", registry=registry)
        self.strays = Counter(
            "tocsin_digest_strays_total", "Unsent items found without an open window.", registry=registry
        )
        self.dropped = metrics.dropped_counter(registry, ["digest"], LEFT_OUT)
        self.dead_letters = metrics.dead_letters_counter(registry)
        self.timers = Gauge("tocsin_digest_timers", "Windows this replica has a timer for.", registry=registry)
