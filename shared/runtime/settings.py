"""Fragments of configuration; a service's Settings joins those it needs.

Every field is read once from the environment as `TOCSIN_<FIELD>` and never again. Nothing else reads the
environment. Secrets come as files: `…_file` settings, reread by their users when they change, and any other setting
as the file `tocsin_<field>` in `SECRETS`, where that folder exists; the environment goes before it.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS = Path("/run/secrets/tocsin")

_CONFIG = SettingsConfigDict(
    env_prefix="TOCSIN_", frozen=True, extra="ignore", secrets_dir=SECRETS if SECRETS.is_dir() else None
)


class BaseServiceSettings(BaseSettings):
    """What every service is told."""

    model_config = _CONFIG

    log_level: str = Field("info", description="Least severe level that is logged: debug, info, warning, error.")
    log_format: str = Field("auto", description="json, console, or auto: console on a terminal, json elsewhere.")
    drain_seconds: float = Field(20.0, gt=0, description="How long work in flight may go on after SIGTERM.")
    ops_host: str = Field("127.0.0.1", description="Address that /livez, /readyz and /metrics listen on.")
    ops_port: int = Field(0, ge=0, le=65535, description="Port of /livez, /readyz and /metrics; 0 takes a free one.")
    instance: str = Field("", description="Name of this process among its replicas; empty makes one of host and pid.")


class KafkaSettings(BaseSettings):
    """Where Kafka is and how it is spoken to."""

    model_config = _CONFIG

    kafka_bootstrap: str = Field(description="Comma-separated host:port of Kafka brokers.")
    topic_prefix: str = Field("", description="Put before every topic and consumer group; separates test systems.")
    produce_timeout_seconds: float = Field(4.0, gt=0, description="Longest wait for Kafka to acknowledge a record.")
    session_timeout_seconds: float = Field(15.0, gt=0, description="Silence after which a consumer counts as dead.")
    heartbeat_seconds: float = Field(3.0, gt=0, description="Time between a consumer's signs of life.")
    stall_seconds: float = Field(
        60.0, gt=0, description="A consumer with lag and no progress for this long fails its liveness."
    )

    def topic(self, name: str) -> str:
        """The topic as it is named on this Kafka."""
        return self.topic_prefix + name

    def group(self, name: str) -> str:
        """The consumer group as it is named on this Kafka."""
        return f"{self.topic_prefix}tocsin.{name}"


class PostgresSettings(BaseSettings):
    """Where PostgreSQL is, as this service's own role."""

    model_config = _CONFIG

    postgres_dsn: SecretStr = Field(description="DSN of the database, with the role of this service.")
    postgres_pool_size: int = Field(6, ge=1, description="Most connections this process holds.")
    postgres_timeout_seconds: float = Field(10.0, gt=0, description="Longest wait for one statement.")


class HttpSettings(BaseSettings):
    """Where a service's HTTP API listens."""

    model_config = _CONFIG

    http_host: str = Field("127.0.0.1", description="Address the API listens on.")
    http_port: int = Field(0, ge=0, le=65535, description="Port of the API; 0 takes a free one.")


class ApiKeySettings(BaseSettings):
    """What checks `Authorization: Bearer tk_…`."""

    model_config = _CONFIG

    api_key_secret_file: Path = Field(description="File with the secret under which API keys are stored as HMACs.")


class UnsubscribeSettings(BaseSettings):
    """What makes unsubscribe links and opens them; see `shared.unsubscribe`."""

    model_config = _CONFIG

    unsubscribe_secret_file: Path = Field(
        description="File with the secrets of unsubscribe links, one a line: the last one signs, all of them open."
    )
    inbox_public_url: str = Field(
        pattern="^https?://", description="Address where recipients reach the inbox; their links begin with it."
    )


class LeaseSettings(BaseSettings):
    """How long a sink may hold a delivery, and how often it is tried; sinks and scheduler must agree."""

    model_config = _CONFIG

    lease_seconds: float = Field(
        60.0, gt=0, description="How long a claimed delivery belongs to its sink; longer than a send may take."
    )
    max_attempts: int = Field(20, ge=1, description="Attempts at one delivery before it becomes a dead letter.")


class PoisonSettings(BaseSettings):
    """How much of a topic may be unreadable before its reader doubts itself."""

    model_config = _CONFIG

    poison_limit_per_minute: int = Field(
        100, ge=1, description="Records a minute that may be dead-lettered; beyond it the reader pauses."
    )


class DestinationSettings(BaseSettings):
    """Where Tocsin may connect because a user said so; see `shared.destinations`."""

    model_config = _CONFIG

    allowed_private_hosts: str = Field(
        "",
        description="Comma-separated hosts that push endpoints may name although they are private, in plain http and "
        "on any port: for development, such as 127.0.0.1,localhost. Empty in production.",
    )
