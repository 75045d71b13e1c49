"""The embedded stack as the command line starts it."""

import asyncio
import contextlib
import sys

from cli import output
from cli.errors import CommandError
from deploy.local import errors, supervisor
from deploy.local.options import UpOptions
from shared.runtime import lifecycle


def run(options: UpOptions, *, as_json: bool) -> None:
    """Run until Ctrl-C or SIGTERM.

    Raises:
        CommandError: something cannot start.
    """
    try:
        asyncio.run(_announced(options) if as_json else supervisor.run(options))
    except errors.LocalStackError as error:
        raise CommandError(str(error)) from error


async def _announced(options: UpOptions) -> None:
    """Where everything is, as one JSON document once all is ready; what people watch goes to stderr."""
    programs_read = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(lifecycle.StopAskedError):
        async with supervisor.up(options) as system:
            output.as_json(system.document, programs_read)
            await system.stop.wait()
