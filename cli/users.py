"""`tocsin users import`: the directory's users from a file."""

import typer

from cli import directory_import, flags
from cli.directory_import import FileArgument, Reading
from cli.target import Target

app = typer.Typer(help="Keep the directory of recipients.", no_args_is_help=True)


@app.command("import")
@flags.spelled_out
def import_(*, file: FileArgument, reading: Reading, target: Target, json: flags.Json = False) -> None:
    """Make or change the users of a file; lines that are wrong are told and do not stop the others."""
    directory_import.run(target, file, "users", reading, as_json=json)


@app.callback()
def _group() -> None:
    """Keep `import` a word of its own although it is the only command."""
