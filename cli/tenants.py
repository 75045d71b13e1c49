"""`tocsin tenants create`: a tenant and its first key, made in the database: before them no API lets anyone in."""

import asyncio
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from cli import flags, output
from cli.errors import CommandError, ExitCode
from cli.target import Target
from shared import access
from shared.postgres import tenants

app = typer.Typer(help="Make tenants.", no_args_is_help=True)


@app.command("create")
def create(
    *,
    tenant: Annotated[str, typer.Argument(help="The tenant's id, as it stands in every message.")],
    name: Annotated[str, typer.Option(help="Its name; the id by default.")] = "",
    postgres: flags.Postgres = None,
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the secret that API keys are stored under.")
    ] = None,
    state: flags.State = None,
    json: flags.Json = False,
) -> None:
    """Make a tenant, or rename the one there is, and print a new admin key of it."""
    target = Target(state)
    secret = target.api_key_secret(secret_file)
    key = asyncio.run(_created(target.postgres(postgres), tenant, name or tenant, secret))
    kept = f"Keep it now, it is not shown again: export TOCSIN_API_KEY={key}"
    output.answer({"tenant": tenant, "key": key}, f"{tenant}  {key}", kept, for_programs=json)


@app.callback()
def _group() -> None:
    """Keep `create` a word of its own although it is the only command."""


async def _created(dsn: str, tenant: str, name: str, secret: bytes) -> str:
    try:
        connection = await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError) as error:
        raise CommandError(
            f"cannot connect to PostgreSQL: {error}", "Give the owner's DSN with --postgres.", ExitCode.UNAVAILABLE
        ) from error
    try:
        await tenants.create_tenant(connection, tenant, name)
        return await tenants.create_key(connection, tenant, "first admin key", [access.Scope.ADMIN], secret)
    except asyncpg.PostgresError as error:
        raise CommandError(
            f"PostgreSQL refused: {error}", "Is the schema there? `tocsin migrate` brings it."
        ) from error
    finally:
        await connection.close()
