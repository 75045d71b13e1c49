"""The options that many commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
State = Annotated[Path | None, typer.Option("--state", help="State folder of a running `tocsin up`.")]
Key = Annotated[str | None, typer.Option("--key", help="API key; else TOCSIN_API_KEY.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the service; else from the environment or --state.")]
Postgres = Annotated[str | None, typer.Option("--postgres", help="DSN of the database's owner.")]
Kafka = Annotated[str | None, typer.Option("--kafka", help="host:port of a Kafka broker.")]
