"""What the dispatcher is told, once, from the environment."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from shared.contract.importance import BULK_RECIPIENTS
from shared.runtime.settings import BaseServiceSettings, KafkaSettings, PostgresSettings


class IntakeSettings(BaseSettings):
    """How accepted notifications are taken in."""

    model_config = BaseServiceSettings.model_config

    intake_batch_notifications: int = Field(500, ge=1, description="Most notifications of one transaction of intake.")
    intake_batch_recipients: int = Field(2_000, ge=1, description="Most recipients of one transaction of intake.")
    poison_limit_per_minute: int = Field(
        100, ge=1, description="Records a minute that may be dead-lettered; beyond it the service stops instead."
    )
    default_window_seconds: int = Field(900, ge=1, description="Length of a digest window whose class sets none.")


class FanoutSettings(BaseSettings):
    """How notifications to very many recipients are written, a piece at a time."""

    model_config = BaseServiceSettings.model_config

    fanout_threshold: int = Field(BULK_RECIPIENTS, ge=1, description="Recipients beyond which fan-out takes over.")
    fanout_chunk: int = Field(500, ge=1, description="Recipients that one transaction of fan-out writes.")
    fanout_lease_seconds: float = Field(30.0, gt=0, description="How long a worker may hold a fan-out without a sign.")
    fanout_poll_seconds: float = Field(0.5, gt=0, description="Wait before looking for fan-outs again.")
    fanout_most_waiting: int = Field(
        5_000, ge=1, description="Deliveries waiting on a lane's topic beyond which its fan-outs hold back."
    )


class SmtpSettings(BaseSettings):
    """Where mail goes out."""

    model_config = BaseServiceSettings.model_config

    smtp_host: str = Field("127.0.0.1", description="Host of the SMTP relay.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Port of the SMTP relay.")
    smtp_from: str = Field("Tocsin <tocsin@localhost>", description="From of what is sent, as in a mail header.")
    smtp_username: str = Field("", description="Login at the relay; empty means none.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password at the relay.")
    smtp_connections: int = Field(4, ge=1, description="Most connections to the relay per lane.")
    smtp_timeout_seconds: float = Field(20.0, gt=0, description="Longest wait for one answer of the relay.")


class Settings(BaseServiceSettings, KafkaSettings, PostgresSettings, IntakeSettings, FanoutSettings, SmtpSettings):
    """Everything the dispatcher is told; `postgres_pool_size` is per lane, so that lanes never wait for each other."""
