"""What the one who starts the stack may choose."""

import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.local import errors, ports
from deploy.local.catalogue import SERVICES
from shared.runtime.settings import BaseServiceSettings

GRACE_MARGIN_SECONDS = 5.0
PORTS = ("ingest", "inbox", "console", "mailbox", "smtp", "kafka", "postgres")


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """How to start.

    Attributes:
        state: the state folder; None for `TOCSIN_STATE`, else `.tocsin` in the checkout.
        kafka: bootstrap address of a Kafka to use instead of starting one; None for `TOCSIN_KAFKA_BOOTSTRAP`.
        postgres: owner's DSN of a database to use instead of starting one; None for `TOCSIN_POSTGRES_DSN`.
        services: which services to run; empty for all.
        ports: fixed ports by name (`PORTS`); `TOCSIN_PORT_<NAME>` fixes one too, all others are free ones.
        settings: further `TOCSIN_…` variables for every service.
        demo: make the demo tenant in a database that was brought along, too; one of our own always has it.
        logs: whether the services' logs are shown.
    """

    state: pathlib.Path | None = None
    kafka: str | None = None
    postgres: str | None = None
    services: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    demo: bool = False
    logs: bool = True


def chosen_services(options: UpOptions) -> list[str]:
    """The services to run, in the order they start.

    Raises:
        LocalStackError: a name is no service.
    """
    known = [service.name for service in SERVICES]
    if unknown := sorted(set(options.services) - set(known)):
        raise errors.LocalStackError(f"no such service: {', '.join(unknown)}; choose from {', '.join(known)}")
    return [name for name in known if not options.services or name in options.services]


def grace_seconds(options: UpOptions, environment: Mapping[str, str] = os.environ) -> float:
    """How long a service may take to end: its drain (`TOCSIN_DRAIN_SECONDS`) and a margin."""
    drain = options.settings.get("TOCSIN_DRAIN_SECONDS") or environment.get("TOCSIN_DRAIN_SECONDS")
    return float(drain or BaseServiceSettings.model_fields["drain_seconds"].default) + GRACE_MARGIN_SECONDS


def fixed_port(options: UpOptions, name: str, environment: Mapping[str, str] = os.environ) -> int | None:
    """The port fixed for a name by option or environment, or None.

    Raises:
        LocalStackError: it is no port, or somebody listens on it.
    """
    if unknown := sorted(set(options.ports) - set(PORTS)):
        raise errors.LocalStackError(f"no such port: {', '.join(unknown)}; choose from {', '.join(PORTS)}")
    variable = f"TOCSIN_PORT_{name.upper()}"
    text = str(options.ports.get(name, environment.get(variable, "")))
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) <= ports.HIGHEST:
        raise errors.LocalStackError(f"{text!r} is no port for {name}: give a number from 1 to {ports.HIGHEST}")
    if not ports.is_free(int(text)):
        raise errors.LocalStackError(f"port {text} for {name} is taken: free it, or choose another")
    return int(text)
