"""What the dispatcher is told, once, from the environment."""

from email.utils import parseaddr
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from shared.contract.importance import BULK_RECIPIENTS
from shared.runtime.settings import (
    BaseServiceSettings,
    DestinationSettings,
    KafkaSettings,
    LeaseSettings,
    PoisonSettings,
    PostgresSettings,
    UnsubscribeSettings,
)


class IntakeSettings(PoisonSettings):
    """How accepted notifications are taken in."""

    intake_batch_notifications: int = Field(500, ge=1, description="Most notifications of one transaction of intake.")
    intake_batch_recipients: int = Field(2_000, ge=1, description="Most recipients of one transaction of intake.")
    default_window_seconds: int = Field(900, ge=1, description="Length of a digest window whose class sets none.")


class FanoutSettings(BaseSettings):
    """How notifications to very many recipients are written, a piece at a time."""

    model_config = BaseServiceSettings.model_config

    fanout_threshold: int = Field(BULK_RECIPIENTS, ge=1, description="Recipients beyond which fan-out takes over.")
    fanout_chunk: int = Field(
        500, ge=1, description="Recipients that one transaction of fan-out writes, or follows up."
    )
    fanout_lease_seconds: float = Field(30.0, gt=0, description="How long a worker may hold a fan-out without a sign.")
    fanout_poll_seconds: float = Field(0.5, gt=0, description="Wait before looking for fan-outs again.")
    fanout_most_waiting: int = Field(
        5_000, ge=1, description="Deliveries waiting on a lane's topic beyond which its fan-outs hold back."
    )


class DeliverySettings(LeaseSettings):
    """How deliveries are claimed, sent and tried again; the same for every channel."""

    claim_batch: int = Field(500, ge=1, description="Most deliveries of one claim, and of one record of outcomes.")
    in_flight: int = Field(2_000, ge=1, description="Most deliveries a lane's sink holds before it stops reading.")
    send_timeout_seconds: float = Field(
        15.0,
        gt=0,
        description="Longest time one attempt may take in all; a mail has a second more for each megabyte, up to 1.9 "
        "times as long.",
    )
    wait_for_destination_seconds: float = Field(
        5.0, gt=0, description="A delivery that would wait longer for its destination is put off instead."
    )
    retry_first_seconds: float = Field(2.0, gt=0, description="Wait after the first failed attempt; then it doubles.")
    retry_longest_seconds: float = Field(1_800.0, gt=0, description="Longest wait between two attempts.")

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        needed = self.wait_for_destination_seconds + 2 * self.send_timeout_seconds
        if self.lease_seconds < needed:
            raise ValueError(
                f"lease_seconds must be at least {needed}: wait_for_destination_seconds and twice send_timeout_seconds,"
                " else a delivery is taken up again while it is still being sent"
            )
        if self.in_flight < self.claim_batch:
            raise ValueError("in_flight must be at least claim_batch, else there is never room to read a batch")
        return self


class ScriptSettings(BaseSettings):
    """How scripts and jobs are run in the background."""

    model_config = BaseServiceSettings.model_config

    scripts_at_once: int = Field(8, ge=1, description="Scripts, jobs and completions worked on at a time.")
    scripts_poll_seconds: float = Field(0.5, gt=0, description="Wait before looking for due scripts again.")
    script_seconds: float = Field(60.0, gt=0, description="How long a script or job may take.")
    script_attempts: int = Field(5, ge=1, description="Attempts at a script or job before it becomes a dead letter.")
    script_retry_seconds: float = Field(5.0, gt=0, description="Wait after a script's first failure; then it doubles.")


class WebhookSettings(DestinationSettings):
    """How push endpoints are reached."""

    webhook_connections: int = Field(64, ge=1, description="Most requests to one host at a time, per lane.")
    webhook_connect_seconds: float = Field(5.0, gt=0, description="Longest wait for a connection to a host.")


class SmtpSecurity(StrEnum):
    """How the connection to the relay is protected; never by what the relay happens to offer."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class SmtpSettings(BaseSettings):
    """Where mail goes out."""

    model_config = BaseServiceSettings.model_config

    smtp_host: str = Field("127.0.0.1", description="Host of the SMTP relay.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Port of the SMTP relay.")
    smtp_security: SmtpSecurity = Field(
        SmtpSecurity.STARTTLS, description="starttls, tls (from the first byte), or none (a relay on this machine)."
    )
    smtp_from: str = Field("Tocsin <tocsin@localhost>", description="From of what is sent, as in a mail header.")
    smtp_username: str = Field("", description="Login at the relay; empty means none.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password at the relay.")
    dkim_keys_folder: Path | None = Field(
        None,
        description="Folder of the tenants' DKIM keys, `<tenant>.<selector>.pem`; not set where nothing is signed.",
    )
    smtp_connections: int = Field(8, ge=1, description="Most connections to the relay per lane.")
    digest_items_max: int = Field(
        100, ge=1, le=1_000, description="Most notifications that one digest mail shows; the others it counts."
    )
    smtp_mails_per_connection: int = Field(500, ge=1, description="Mails after which a connection is made anew.")

    @model_validator(mode="after")
    def _from_is_an_address(self) -> Self:
        if "@" not in parseaddr(self.smtp_from)[1] or not (self.smtp_from.isascii() and self.smtp_from.isprintable()):
            raise ValueError("smtp_from must be a mail address in ASCII, such as: Tocsin <tocsin@example.com>")
        return self


class Settings(
    BaseServiceSettings,
    KafkaSettings,
    PostgresSettings,
    IntakeSettings,
    FanoutSettings,
    DeliverySettings,
    ScriptSettings,
    WebhookSettings,
    SmtpSettings,
    UnsubscribeSettings,
):
    """Everything the dispatcher is told; `postgres_pool_size` is per lane, so that lanes never wait for each other."""

    @model_validator(mode="after")
    def _drain_outlasts_a_send(self) -> Self:
        if self.drain_seconds <= self.send_timeout_seconds:
            raise ValueError(
                "drain_seconds must be longer than send_timeout_seconds, else a stop cuts off what is being sent"
            )
        return self
