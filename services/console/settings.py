"""What the console is told."""

from shared.runtime.settings import ApiKeySettings, BaseServiceSettings, HttpSettings, PostgresSettings


class Settings(BaseServiceSettings, PostgresSettings, HttpSettings, ApiKeySettings):
    """The console's settings, each read from `TOCSIN_<FIELD>`."""
