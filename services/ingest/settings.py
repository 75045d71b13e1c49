"""What ingest is told."""

from pydantic import Field

from shared.runtime.settings import (
    ApiKeySettings,
    BaseServiceSettings,
    HttpSettings,
    KafkaSettings,
    PostgresSettings,
)


class Settings(BaseServiceSettings, KafkaSettings, PostgresSettings, HttpSettings, ApiKeySettings):
    """Ingest's settings, each read from `TOCSIN_<FIELD>`."""

    single_tenant: str = Field(
        "", description="Tenant meant by records on notifications.requests without a tenant header; empty: none is."
    )
    source_epoch: str = Field(
        "1",
        min_length=1,
        description="Part of the identity of topic records without a key; change it when notifications.requests is "
        "made anew, since offsets begin again then.",
    )
    max_in_flight: int = Field(
        1_000, ge=1, description="HTTP requests under way at once; one more is answered 503 with Retry-After."
    )
    requests_batch: int = Field(500, ge=1, description="Most records taken from notifications.requests at once.")
    settings_poll_seconds: float = Field(
        1.0, gt=0, description="Time between two questions to PostgreSQL for changed keys and tenants."
    )
    settings_reload_seconds: float = Field(
        60.0, gt=0, description="Time between two full reads of keys and tenants, which also notice deleted ones."
    )
    identity_linger_seconds: float = Field(
        0.003, ge=0, description="How long a keyed request waits for others to be decided in the same statement."
    )
    identity_timeout_seconds: float = Field(
        0.6,
        gt=0,
        description="Longest wait for PostgreSQL to decide a keyed request before the decision is left to intake; "
        "with produce_timeout_seconds it bounds the answer.",
    )
    directory_timeout_seconds: float = Field(
        2.0, gt=0, description="Longest wait for the directory where a dialect promises to know its recipients."
    )
    lag_poll_seconds: float = Field(0.5, gt=0, description="Time between two looks at the routine lane's lag.")
