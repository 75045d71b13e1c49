"""`tocsin groups import`: the directory's groups, or their members, from a file."""

from typing import Annotated

import typer

from cli import directory_import, flags
from cli.directory_import import FileArgument, Reading
from cli.target import Target

app = typer.Typer(help="Keep the groups that audiences name.", no_args_is_help=True)


@app.command("import")
@flags.spelled_out
def import_(
    *,
    file: FileArgument,
    members: Annotated[bool, typer.Option("--members", help="The file holds memberships, not groups.")] = False,
    reading: Reading,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Make or change the groups of a file; lines that are wrong are told and do not stop the others."""
    directory_import.run(target, file, "members" if members else "groups", reading, as_json=json)


@app.callback()
def _group() -> None:
    """Keep `import` a word of its own although it is the only command."""
