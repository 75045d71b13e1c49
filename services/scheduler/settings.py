"""What the scheduler is told."""

from pydantic import Field

from shared.runtime.settings import BaseServiceSettings, KafkaSettings, LeaseSettings, PostgresSettings


class Settings(BaseServiceSettings, KafkaSettings, PostgresSettings, LeaseSettings):
    """The scheduler's settings, each read from `TOCSIN_<FIELD>`."""

    poll_seconds: float = Field(0.2, gt=0, description="Wait between two looks at the database while little is due.")
    release_batch: int = Field(500, ge=1, le=5_000, description="Most rows released in one statement.")
    release_seconds: float = Field(
        10.0,
        gt=0,
        description="How long what was released may wait to be taken; then it is released again, as soon as its "
        "consumers have read beyond it.",
    )
    outbox_age_seconds: float = Field(
        10.0, gt=0, description="Age at which outbox rows that their writer did not produce are produced here."
    )
    reconcile_age_seconds: float = Field(
        60.0, gt=0, description="Age at which a planned delivery nobody claimed is produced again."
    )
    reconcile_poll_seconds: float = Field(5.0, gt=0, description="Wait between two searches for unclaimed deliveries.")
