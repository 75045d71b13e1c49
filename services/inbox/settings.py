"""What the inbox is told."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import (
    ApiKeySettings,
    BaseServiceSettings,
    HttpSettings,
    KafkaSettings,
    PostgresSettings,
    UnsubscribeSettings,
)


class Settings(BaseServiceSettings, KafkaSettings, PostgresSettings, HttpSettings, ApiKeySettings, UnsubscribeSettings):
    """The inbox's settings, each read from `TOCSIN_<FIELD>`."""

    inbox_token_secret_file: Path = Field(description="File with the secret that signs recipients' tokens.")
    inbox_token_longest_seconds: int = Field(86_400, ge=60, description="Longest life a recipient's token may have.")
