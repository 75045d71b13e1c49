"""What the digest service is told, once, from the environment."""

from pydantic import Field

from shared.runtime.settings import BaseServiceSettings, KafkaSettings, PostgresSettings


class Settings(BaseServiceSettings, KafkaSettings, PostgresSettings):
    """The digest service's settings, each read from `TOCSIN_<FIELD>`."""

    default_window_seconds: int = Field(900, ge=1, description="Length of a digest window whose class sets none.")
    flush_batch: int = Field(200, ge=1, le=5_000, description="Most windows flushed in one transaction.")
    timer_seconds: float = Field(0.5, gt=0, description="Time between two looks at which windows are due.")
    overdue_seconds: float = Field(
        20.0, ge=0, description="Lateness at which a window is flushed whether or not its timer fired."
    )
    overdue_poll_seconds: float = Field(5.0, gt=0, description="Wait between two searches for overdue windows.")
    stray_poll_seconds: float = Field(
        30.0, gt=0, description="Wait between two searches for unsent notifications without an open window."
    )
