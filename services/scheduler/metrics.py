"""What the scheduler counts."""

from prometheus_client import CollectorRegistry

from shared.runtime import metrics


class Metrics:
    """The scheduler's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.oldest_pending = metrics.oldest_pending_gauge(registry)
