"""What the console counts."""

from prometheus_client import CollectorRegistry, Counter


class Metrics:
    """The console's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.imported = Counter("tocsin_users_imported_total", "Users taken in from files.", registry=registry)
        self.redriven = Counter("tocsin_dead_letters_redriven_total", "Dead letters re-driven.", registry=registry)
