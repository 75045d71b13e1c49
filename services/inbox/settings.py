"""What the inbox is told."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import (
    ApiKeySettings,
    BaseServiceSettings,
    HttpSettings,
    KafkaSettings,
    PostgresSettings,
)


class Settings(BaseServiceSettings, KafkaSettings, PostgresSettings, HttpSettings, ApiKeySettings):
    """The inbox's settings, each read from `TOCSIN_<FIELD>`."""

    inbox_token_secret_file: Path = Field(description="File with the secret that signs recipients' tokens.")
    inbox_token_longest_seconds: int = Field(86_400, ge=60, description="Longest life a recipient's token may have.")
    inbox_public_url: str = Field("", description="Address recipients' links begin with; empty takes the API's own.")
