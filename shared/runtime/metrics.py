"""The metrics every dashboard starts from, declared once and the same in every service that has the moment."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.contract.importance import Lane
from shared.contract.outcomes import AttemptOutcome, Channel, Door, Reason

_DELIVERY_BUCKETS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
SINK_CHANNELS = (Channel.PUSH, Channel.EMAIL)


def accepted_counter(registry: CollectorRegistry) -> Counter:
    """Notifications accepted, by door and lane."""
    counter = Counter(
        "tocsin_notifications_accepted_total", "Notifications accepted.", ["door", "lane"], registry=registry
    )
    for door in Door:
        for lane in Lane:
            counter.labels(door, lane)
    return counter


def dropped_counter(registry: CollectorRegistry, stages: Iterable[str], reasons: Iterable[Reason]) -> Counter:
    """What ended without being delivered, by stage and reason; the pairs a service can reach begin at zero."""
    counter = Counter(
        "tocsin_dropped_total", "Requests and deliveries that ended undelivered.", ["stage", "reason"],
        registry=registry,
    )  # fmt: skip
    known = tuple(reasons)
    for stage in stages:
        for reason in known:
            counter.labels(stage, reason)
    return counter


def attempts_counter(registry: CollectorRegistry) -> Counter:
    """Attempts at a delivery, by channel, lane and outcome."""
    counter = Counter(
        "tocsin_delivery_attempts_total", "Attempts at deliveries.", ["channel", "lane", "outcome"], registry=registry
    )
    for channel in SINK_CHANNELS:
        for lane in Lane:
            for outcome in AttemptOutcome:
                counter.labels(channel, lane, outcome)
    return counter


def delivery_seconds(registry: CollectorRegistry) -> Histogram:
    """Seconds from accepted to delivered, by channel and lane."""
    histogram = Histogram(
        "tocsin_delivery_seconds", "Seconds from accepted to delivered.", ["channel", "lane"],
        buckets=_DELIVERY_BUCKETS_SECONDS, registry=registry,
    )  # fmt: skip
    for channel in SINK_CHANNELS:
        for lane in Lane:
            histogram.labels(channel, lane)
    return histogram


def dead_letters_counter(registry: CollectorRegistry) -> Counter:
    """Dead letters written, by reason; each begins at zero, so that `increase()` sees the first one."""
    counter = Counter("tocsin_dead_letters_total", "Dead letters written.", ["reason"], registry=registry)
    for reason in Reason:
        counter.labels(reason)
    return counter


def oldest_pending_gauge(registry: CollectorRegistry) -> Gauge:
    """Age of the oldest delivery that has not ended, by lane and channel."""
    gauge = Gauge(
        "tocsin_oldest_pending_seconds", "Age of the oldest delivery under way.", ["lane", "channel"],
        registry=registry,
    )  # fmt: skip
    for lane in Lane:
        for channel in SINK_CHANNELS:
            gauge.labels(lane, channel)
    return gauge
