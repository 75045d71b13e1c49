"""What the stack is made of: the foundation first, then the programs on it, wired together."""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp
import asyncpg

from deploy.local import demo_tenant, kafka, ports, postgres, state, wiring
from deploy.local import options as up_options
from deploy.local.catalogue import SERVICES
from deploy.local.part import PROBE_SECONDS, Program, Running, Sayer, Server
from shared.kafka import admin
from shared.postgres import migrate
from shared.runtime.settings import KafkaSettings

KAFKA = "kafka"
POSTGRES = "postgres"
MAILBOX = "mailbox"


class Assembly:
    """Builds the parts of one stack from what was chosen."""

    def __init__(
        self, options: up_options.UpOptions, held: state.State, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._options = options
        self._state = held
        self._environment = environment
        self._services = up_options.chosen_services(options)
        self._fixed = {name: up_options.fixed_port(options, name, environment) for name in up_options.PORTS}
        self._kafka_elsewhere = options.kafka or environment.get("TOCSIN_KAFKA_BOOTSTRAP")
        self._postgres_elsewhere = options.postgres or environment.get("TOCSIN_POSTGRES_DSN")
        self._kafka = kafka.Kafka(held.folder / KAFKA, port=self._fixed[KAFKA])
        database = postgres.Options(port=self._fixed[POSTGRES])
        self._postgres = postgres.Postgres(held.folder / POSTGRES, database)

    def foundation(self) -> list[Server]:
        """Kafka and PostgreSQL, unless they are brought along."""
        own = []
        if not self._kafka_elsewhere:
            own.append(Server(KAFKA, self._kafka))
        if not self._postgres_elsewhere:
            own.append(Server(POSTGRES, self._postgres))
        return own

    async def prepared(self) -> wiring.Wiring:
        """Bring schema, roles and topics up to date, and decide on every address. The foundation runs.

        Raises:
            TransientError: Kafka does not answer.
            OSError, asyncpg.PostgresError: PostgreSQL does not.
        """
        bootstrap = self._kafka_elsewhere or self._kafka.bootstrap
        dsn = self._postgres_elsewhere or self._postgres.dsn()
        await migrate.migrate(dsn)
        if self._postgres_elsewhere:
            await let_owner_act(dsn, [service.role for service in SERVICES if service.name in self._services])
        prefix = self._settings().get("TOCSIN_TOPIC_PREFIX", "")
        settings = KafkaSettings(kafka_bootstrap=bootstrap, topic_prefix=prefix)
        await admin.create_topics(settings)
        if not self._kafka_elsewhere:  # elsewhere its members may live
            await kafka.forget_members(bootstrap, settings.group(""))
        return self._wired(bootstrap, dsn)

    async def demo(self, wired: wiring.Wiring) -> dict[str, Any]:
        """The demo tenant; nobody in a database that was brought along, unless asked for."""
        if self._postgres_elsewhere and not self._options.demo:
            return demo_tenant.NOBODY
        return await demo_tenant.seeded(wired.postgres, self._state)

    def programs(self, wired: wiring.Wiring, session: aiohttp.ClientSession, say: Sayer) -> list[Running]:
        """The mailbox, then the services in their order."""
        chosen = [service for service in SERVICES if service.name in self._services]
        services = [
            Program(
                name=service.name,
                arguments=["-m", f"services.{service.name}"],
                environment=wiring.environment(service, wired, self._environment),
                address=wired.url(service.name) if service.serves_http else "",
                probes=wired.ops_url(service.name),
            )
            for service in chosen
        ]
        return [Running(program, session, say) for program in (self._mailbox(wired), *services)]

    def _mailbox(self, wired: wiring.Wiring) -> Program:
        listen = ["--http-port", str(wired.http_ports[MAILBOX]), "--smtp-port", str(wired.smtp_port)]
        return Program(
            name=MAILBOX,
            arguments=["-m", "deploy.local.mailbox", *listen],
            environment=self._environment,
            address=f"{wired.url(MAILBOX)}, SMTP at {ports.LOOPBACK}:{wired.smtp_port}",
            probes=wired.url(MAILBOX),
        )

    def _settings(self) -> dict[str, str]:
        return {**self._environment, **self._options.settings}

    def _wired(self, bootstrap: str, dsn: str) -> wiring.Wiring:
        doors = [service.name for service in SERVICES if service.serves_http and service.name in self._services]
        settings = dict(self._options.settings)
        if not self._kafka_elsewhere:
            settings.setdefault("TOCSIN_SOURCE_EPOCH", self._kafka.cluster_id)
        if sys.stdout.isatty():
            settings.setdefault("TOCSIN_LOG_FORMAT", self._environment.get("TOCSIN_LOG_FORMAT", "console"))
        return wiring.Wiring(
            state=self._state,
            kafka=bootstrap,
            postgres=dsn,
            postgres_brought=bool(self._postgres_elsewhere),
            http_ports={name: self._fixed.get(name) or ports.free_port() for name in (MAILBOX, *doors)},
            ops_ports={name: ports.free_port() for name in self._services},
            smtp_port=self._fixed["smtp"] or ports.free_port(),
            settings=settings,
        )


def session() -> aiohttp.ClientSession:
    """The HTTP client that asks the programs how they are."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PROBE_SECONDS))


async def let_owner_act(dsn: str, roles: Iterable[str]) -> None:
    """Let the owner of a database that was brought along act as the services' roles, where it may not yet.

    Raises:
        asyncpg.InsufficientPrivilegeError: the owner may not hand out a role; the server's superuser must.
    """
    connection = await asyncpg.connect(dsn)
    try:
        for role in roles:
            try:
                await connection.execute(f"SET ROLE {role}")
                await connection.execute("RESET ROLE")
            except asyncpg.InsufficientPrivilegeError:
                await connection.execute(f"GRANT {role} TO CURRENT_USER")
    finally:
        await connection.close()
