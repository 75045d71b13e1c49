"""The command `tocsin` put together from its parts."""

import sys
from collections.abc import Sequence

import typer

from cli import (
    dead_letters,
    env,
    groups,
    inbox,
    installation,
    keys,
    schedules,
    send,
    tenants,
    trace,
    up,
    users,
    validate,
)
from cli.errors import CommandError, told
from shared.client import ClientError
from shared.errors import TocsinError


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="tocsin",
        help="Run and operate Tocsin. Exit codes: 0 done, 1 refused, 2 wrong usage, 3 unavailable, 4 not found.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.command("up")(up.up)
    app.command("env")(env.env)
    app.command("send")(send.send)
    app.command("trace")(trace.trace)
    app.command("validate")(validate.validate)
    app.command("migrate")(installation.migrate)
    app.add_typer(users.app, name="users")
    app.add_typer(groups.app, name="groups")
    app.add_typer(inbox.app, name="inbox")
    app.add_typer(keys.app, name="keys")
    app.add_typer(tenants.app, name="tenants")
    app.add_typer(installation.topics, name="topics")
    app.add_typer(dead_letters.app, name="dead-letters")
    app.add_typer(schedules.app, name="schedules")
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code; errors go to stderr with what to do next."""
    try:
        build()(args=None if arguments is None else list(arguments))
    except CommandError as error:
        fail(error)
    except (ClientError, TocsinError) as error:
        fail(told(error))


def fail(error: CommandError) -> None:
    """Say what went wrong and exit."""
    sys.stderr.write(f"tocsin: {error}\n")
    if error.next_step:
        sys.stderr.write(f"  {error.next_step}\n")
    sys.exit(error.code)
