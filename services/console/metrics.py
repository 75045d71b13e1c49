"""What the console counts."""

from prometheus_client import CollectorRegistry, Counter

from services.console.files import Content
from shared.runtime import metrics


class Metrics:
    """The console's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.imported = Counter(
            "tocsin_directory_imported_total", "Lines of files taken in.", ["content"], registry=registry
        )
        for content in Content:
            self.imported.labels(content)
        self.changes = Counter(
            "tocsin_directory_changes_total", "Changes of the directory read from the topic.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        for outcome in ("applied", "passed_over"):
            self.changes.labels(outcome)
        self.dead_letters = metrics.dead_letters_counter(registry)
        self.redriven = Counter("tocsin_dead_letters_redriven_total", "Dead letters re-driven.", registry=registry)
