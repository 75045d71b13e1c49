"""How the parts find each other: addresses, database logins, and each service's environment."""

import hashlib
import pathlib
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local import state
from deploy.local.catalogue import Service
from deploy.local.ports import LOOPBACK


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Where everything is. Ports are by name; `ops_ports` by service."""

    state: state.State
    kafka: str
    postgres: str
    postgres_brought: bool
    http_ports: Mapping[str, int]
    ops_ports: Mapping[str, int]
    smtp_port: int
    settings: Mapping[str, str]

    def url(self, name: str) -> str:
        """The address of an HTTP interface."""
        return f"http://{LOOPBACK}:{self.http_ports[name]}"

    def ops_url(self, name: str) -> str:
        """The address of a service's operations pages."""
        return f"http://{LOOPBACK}:{self.ops_ports[name]}"


def login(owner_dsn: str, role: str) -> str:
    """The owner's DSN for a database of our own, which lets every role in: logged in as the role itself."""
    parts = urllib.parse.urlsplit(owner_dsn)
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()


def acting(owner_dsn: str, role: str) -> str:
    """The owner's DSN for a database that was brought along: logged in as the owner, acting as the role.

    So no role there needs a password, and none that it has is touched. Only asyncpg reads `role` this way.
    """
    parts = urllib.parse.urlsplit(owner_dsn)
    query = [*urllib.parse.parse_qsl(parts.query, keep_blank_values=True), ("role", role)]
    return parts._replace(query=urllib.parse.urlencode(query, safe="/")).geturl()


def instance(service: Service, folder: pathlib.Path) -> str:
    """The service's name among its replicas: the same after a restart, so that it takes up its own leases again.

    Two state folders on one database must differ, hence the folder's digest.
    """
    return f"{service.name}-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}"


def environment(service: Service, wiring: Wiring, inherited: Mapping[str, str]) -> dict[str, str]:
    """A service's environment: what we have ourselves, what the caller adds, and the wiring, which wins."""
    # What a caller may set otherwise: the catcher is at a private address, and so is the inbox where there is one.
    usual = {
        "TOCSIN_ALLOWED_PRIVATE_HOSTS": f"{LOOPBACK},localhost",
        "TOCSIN_INBOX_PUBLIC_URL": wiring.url("inbox") if "inbox" in wiring.http_ports else f"http://{LOOPBACK}",
    }
    wired = {
        "TOCSIN_INSTANCE": instance(service, wiring.state.folder),
        "TOCSIN_KAFKA_BOOTSTRAP": wiring.kafka,
        "TOCSIN_POSTGRES_DSN": (acting if wiring.postgres_brought else login)(wiring.postgres, service.role),
        "TOCSIN_OPS_PORT": str(wiring.ops_ports[service.name]),
        "TOCSIN_SMTP_HOST": LOOPBACK,
        "TOCSIN_SMTP_PORT": str(wiring.smtp_port),
        "TOCSIN_SMTP_SECURITY": "none",
        "TOCSIN_API_KEY_SECRET_FILE": str(wiring.state.secret_file(state.API_KEYS)),
        "TOCSIN_INBOX_TOKEN_SECRET_FILE": str(wiring.state.secret_file(state.INBOX_TOKENS)),
        "TOCSIN_UNSUBSCRIBE_SECRET_FILE": str(wiring.state.secret_file(state.UNSUBSCRIBING)),
        "PYTHONUNBUFFERED": "1",
    }
    if service.serves_http:
        wired["TOCSIN_HTTP_PORT"] = str(wiring.http_ports[service.name])
    return {**usual, **inherited, **wiring.settings, **wired}
