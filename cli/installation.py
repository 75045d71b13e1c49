"""`tocsin migrate` and `tocsin topics create`: what an installation needs before its services start."""

import asyncio
from typing import Annotated

import asyncpg
import typer

from cli import flags, output
from cli.errors import CommandError, ExitCode
from cli.target import Target
from shared.kafka import admin
from shared.postgres import migrate as migrations
from shared.runtime.settings import KafkaSettings

topics = typer.Typer(help="Make Tocsin's topics.", no_args_is_help=True)


def migrate(*, postgres: flags.Postgres = None, state: flags.State = None, json: flags.Json = False) -> None:
    """Bring the schema up to date, as the database's owner; safe to run side by side and again."""
    try:
        applied = asyncio.run(migrations.migrate(Target(state).postgres(postgres)))
    except (OSError, asyncpg.PostgresError) as error:
        raise CommandError(
            f"PostgreSQL: {error}", "Nothing of a failed step stays; run it again.", ExitCode.UNAVAILABLE
        ) from error
    output.answer({"applied": applied}, *(applied or ["the schema is up to date"]), for_programs=json)


@topics.command("create")
def create_topics(
    *,
    kafka: flags.Kafka = None,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each partition; 3 in production.")] = 1,
    state: flags.State = None,
    json: flags.Json = False,
) -> None:
    """Create what is missing of Tocsin's topics, with their partitions and retention."""
    settings = KafkaSettings(kafka_bootstrap=Target(state).kafka(kafka))
    created = asyncio.run(admin.create_topics(settings, replication))
    output.answer({"created": created}, *(created or ["every topic is there"]), for_programs=json)


@topics.callback()
def _group() -> None:
    """Keep `create` a word of its own although it is the only command."""
