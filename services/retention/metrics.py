"""Retention's metrics, declared once."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.retention.policy import DROP_ORDER
from services.retention.store_sweeps import Swept
from shared.contract.outcomes import Reason
from shared.runtime import metrics


class Metrics:
    """What retention counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.behind = Gauge(
            "tocsin_retention_behind_seconds", "How long the oldest record that should be gone is overdue.",
            registry=registry,
        )  # fmt: skip
        self.days_ahead = Gauge(
            "tocsin_retention_partition_days_ahead", "Days after today for which every table has a partition.",
            registry=registry,
        )  # fmt: skip
        self.leading = Gauge("tocsin_retention_leading", "1 while this replica does the work.", registry=registry)
        self.expired = Counter("tocsin_retention_expired_total", "Notifications that expired.", registry=registry)
        self.dropped_partitions = Counter(
            "tocsin_retention_partitions_dropped_total", "Partitions dropped.", ["table"], registry=registry
        )
        for table in DROP_ORDER:
            self.dropped_partitions.labels(table)
        self.swept = Counter("tocsin_retention_swept_total", "Rows swept.", ["table"], registry=registry)
        for swept in Swept:
            self.swept.labels(swept)
        self.dropped = metrics.dropped_counter(registry, ["retention"], [Reason.EXPIRED])
