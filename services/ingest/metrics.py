"""Ingest's metrics, declared once."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.contract.outcomes import Door, Reason
from shared.runtime import metrics

REFUSALS = (
    Reason.INVALID,
    Reason.UNDECODABLE,
    Reason.UNKNOWN_TENANT,
    Reason.UNSUPPORTED,
    Reason.FORBIDDEN,
    Reason.TOO_LARGE,
    Reason.KEY_CONFLICT,
    Reason.DUPLICATE,
    Reason.SWITCHED_OFF,
    Reason.UNKNOWN_RECIPIENT,
)


class Metrics:
    """What ingest counts; every label comes from an enum.

    `dropped` has the door as its stage; a repeat of an accepted request counts there as `duplicate`.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.accepted = metrics.accepted_counter(registry)
        self.dropped = metrics.dropped_counter(registry, Door, REFUSALS)
        self.deferred = Counter(
            "tocsin_deduplication_deferred_total",
            "Keyed requests accepted while PostgreSQL could not decide them.",
            registry=registry,
        )
        self.overloaded = Counter(
            "tocsin_http_overloaded_total", "HTTP requests refused because too many were under way.", registry=registry
        )
        self.routine_behind = Gauge(
            "tocsin_routine_intake_behind", "1 while routine intake lags by more than a second.", registry=registry
        )
