"""The dispatcher's metrics, declared once."""

from prometheus_client import CollectorRegistry, Counter

from shared.contract.importance import Lane
from shared.contract.outcomes import Reason
from shared.runtime import metrics

_STAGES = ("intake", "routing", "delivery")
_DEAD_LETTER_REASONS = (Reason.UNDECODABLE, Reason.AMBIGUOUS, Reason.ATTEMPTS_EXHAUSTED, Reason.DESTINATION_REFUSED)


class Metrics:
    """What the dispatcher counts; every label comes from an enum or a tuple here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.dropped = metrics.dropped_counter(registry, _STAGES, Reason)
        self.attempts = metrics.attempts_counter(registry)
        self.delivery_seconds = metrics.delivery_seconds(registry)
        self.dead_letters = metrics.dead_letters_counter(registry, _DEAD_LETTER_REASONS)
        self.taken_in = _by_lane(registry, "tocsin_taken_in_total", "Notifications taken in.")
        self.replayed = _by_lane(registry, "tocsin_intake_replayed_total", "Notifications seen again and reproduced.")
        self.recipients = _by_lane(registry, "tocsin_recipients_total", "Recipients whose rows were written.")


def _by_lane(registry: CollectorRegistry, name: str, text: str) -> Counter:
    counter = Counter(name, text, ["lane"], registry=registry)
    for lane in Lane:
        counter.labels(lane)
    return counter
