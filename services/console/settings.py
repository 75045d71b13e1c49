"""What the console is told."""

from shared.runtime.settings import (
    ApiKeySettings,
    BaseServiceSettings,
    DestinationSettings,
    HttpSettings,
    PostgresSettings,
)


class Settings(BaseServiceSettings, PostgresSettings, HttpSettings, ApiKeySettings, DestinationSettings):
    """The console's settings, each read from `TOCSIN_<FIELD>`."""
