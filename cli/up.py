"""`tocsin up`: the embedded stack and the services, until Ctrl-C."""

from typing import Annotated

import typer

from cli import flags
from cli.errors import CommandError
from deploy.local.options import UpOptions


def up(
    *,
    state: flags.State = None,
    services: Annotated[str, typer.Option(help="Only these, comma-separated: ingest,dispatcher,…")] = "",
    kafka: Annotated[str | None, typer.Option(help="host:port of a Kafka to use instead of starting one.")] = None,
    postgres: Annotated[str | None, typer.Option(help="Owner's DSN of a database to use instead of one.")] = None,
    port: Annotated[list[str] | None, typer.Option(metavar="NAME=PORT", help="Fix a port: ingest=8080.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting for every service.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Keep the services' logs to yourself.")] = False,
    json: flags.Json = False,
) -> None:
    """Start Kafka, PostgreSQL, the mailbox and all services; Ctrl-C stops them.

    Addresses are written to endpoints.json in the state folder, and printed with --json, once everything is ready.
    """
    # The embedded stack needs packages that production images leave out.
    from cli import stack  # noqa: PLC0415

    stack.run(
        UpOptions(
            state=state,
            kafka=kafka,
            postgres=postgres,
            services=tuple(name.strip() for name in services.split(",") if name.strip()),
            ports={name: _number(value) for name, value in _pairs(port)},
            settings=dict(_pairs(set_)),
            logs=not quiet and not json,
        ),
        as_json=json,
    )


def _pairs(given: list[str] | None) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in given or ()]
    if wrong := ["".join(pair) for pair in pairs if not pair[1]]:
        raise CommandError(f"{wrong[0]!r} is not NAME=VALUE", "Write the name, an equals sign, and the value.")
    return [(name.strip(), value) for name, _, value in pairs]


def _number(text: str) -> int:
    if not text.isdecimal():
        raise CommandError(f"{text!r} is no port", "Give a number from 1 to 65535.")
    return int(text)
