"""What the console is told."""

from shared.runtime.settings import (
    ApiKeySettings,
    BaseServiceSettings,
    DestinationSettings,
    HttpSettings,
    KafkaSettings,
    PoisonSettings,
    PostgresSettings,
)


class Settings(
    BaseServiceSettings,
    PostgresSettings,
    KafkaSettings,
    HttpSettings,
    ApiKeySettings,
    DestinationSettings,
    PoisonSettings,
):
    """The console's settings, each read from `TOCSIN_<FIELD>`."""
