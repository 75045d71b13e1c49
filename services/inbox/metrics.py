"""What the inbox counts."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter

from shared.postgres.preferences import PreferenceState


class Action(StrEnum):
    """What a recipient may do with an item."""

    COMPLETE = "complete"
    DISMISS = "dismiss"
    UNDISMISS = "undismiss"


class Metrics:
    """The inbox's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.actions = Counter(
            "tocsin_inbox_actions_total", "Items that recipients changed.", ["action"], registry=registry
        )
        for action in Action:
            self.actions.labels(action)
        self.subscriptions = Counter(
            "tocsin_inbox_subscriptions_total",
            "Subscriptions that recipients ended or renewed by a link.",
            ["state"],
            registry=registry,
        )
        for state in PreferenceState:
            self.subscriptions.labels(state)
        self.relay_full = Counter(
            "tocsin_inbox_relay_full_total",
            "Changes left to the scheduler's outbox sweep because too many waited here.",
            registry=registry,
        )
