"""The dispatcher's metrics, declared once."""

import collections
from collections.abc import Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.dispatcher.routing import Routed
from services.dispatcher.runs.planning import RunKind
from shared.contract.importance import Lane
from shared.contract.outcomes import Reason
from shared.runtime import metrics

M = TypeVar("M", Counter, Gauge)

_STAGES = ("intake", "routing", "delivery")


class Metrics:
    """What the dispatcher counts; every label comes from an enum or a tuple here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.dropped = metrics.dropped_counter(registry, _STAGES, Reason)
        self.attempts = metrics.attempts_counter(registry)
        self.delivery_seconds = metrics.delivery_seconds(registry)
        self.dead_letters = metrics.dead_letters_counter(registry)
        self.taken_in = _by_lane(registry, "tocsin_taken_in_total", "Notifications taken in.")
        self.replayed = _by_lane(registry, "tocsin_intake_replayed_total", "Notifications seen again and reproduced.")
        self.held_claims = _by_way(registry, Gauge, "tocsin_held_claims", "Claims of a sink under way now.")
        self.refused_outcomes = _by_way(
            registry, Counter, "tocsin_refused_outcomes_total", "Outcomes refused because their lease had run out."
        )
        self.runs = Counter(
            "tocsin_runs_total", "Scripts, jobs and looks for the end of a notification.", ["kind", "outcome"],
            registry=registry,
        )  # fmt: skip
        for kind in RunKind:
            for outcome in ("done", "again", "cancelled", "dead"):
                self.runs.labels(kind, outcome)
        self.recipients = _by_lane(registry, "tocsin_recipients_total", "Recipients whose rows were written.")

    def count_routes(self, lane: Lane, batch: Iterable[Routed]) -> None:
        """Count recipients whose rows were written, and each channel that was skipped, by its reason."""
        routes = [route for routed in batch for route in routed.routes]
        self.recipients.labels(lane).inc(len(routes))
        for reason, count in collections.Counter(skip.reason for route in routes for skip in route.skips).items():
            self.dropped.labels("routing", reason).inc(count)


def _by_lane(registry: CollectorRegistry, name: str, text: str) -> Counter:
    counter = Counter(name, text, ["lane"], registry=registry)
    for lane in Lane:
        counter.labels(lane)
    return counter


def _by_way(registry: CollectorRegistry, kind: type[M], name: str, text: str) -> M:
    metric = kind(name, text, ["channel", "lane"], registry=registry)
    for channel in metrics.SINK_CHANNELS:
        for lane in Lane:
            metric.labels(channel, lane)
    return metric
