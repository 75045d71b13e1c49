"""What retention is told, once, from the environment."""

from pydantic import Field

from shared.runtime.settings import BaseServiceSettings, KafkaSettings, PostgresSettings


class Settings(BaseServiceSettings, KafkaSettings, PostgresSettings):
    """Retention's settings, each read from `TOCSIN_<FIELD>`."""

    partition_days_ahead: int = Field(
        40, ge=36, le=400, description="Days for which partitions are ready; records expire up to 35 days ahead."
    )
    retention_poll_seconds: float = Field(30.0, gt=0, description="Wait between two looks at what has expired.")
    retention_batch: int = Field(1_000, ge=1, le=10_000, description="Most rows removed or ended in one statement.")
    leader_poll_seconds: float = Field(5.0, gt=0, description="Wait before a standing-by replica asks to lead again.")
