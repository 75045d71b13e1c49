"""`endpoints.json`: what other programs read to find a running stack."""

from collections.abc import Mapping
from typing import Any

from deploy.local.ports import LOOPBACK
from deploy.local.wiring import Wiring

DOORS = ("ingest", "inbox", "console")


def document(wiring: Wiring, pids: Mapping[str, int], demo: Mapping[str, Any]) -> dict[str, Any]:
    """The document; the address of a service that does not run is null.

    Args:
        wiring: where everything is.
        pids: the process of each part of ours, Kafka and PostgreSQL included while they are.
        demo: the demo tenant's ids and keys.
    """
    doors = {name: wiring.url(name) if name in wiring.http_ports else None for name in (*DOORS, "mailbox")}
    return {
        **doors,
        "smtp": f"{LOOPBACK}:{wiring.smtp_port}",
        "kafka": wiring.kafka,
        "postgres": wiring.postgres,
        "metrics": {name: f"{wiring.ops_url(name)}/metrics" for name in wiring.ops_ports},
        "pids": dict(pids),
        "demo": dict(demo),
    }
