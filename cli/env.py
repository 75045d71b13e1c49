"""`tocsin env`: where a running stack is, for a shell to take up."""

import shlex

from cli import flags, output
from cli.errors import CommandError
from cli.target import Target, endpoints


def env(*, state: flags.State = None, json: flags.Json = False) -> None:
    """Print the addresses and the demo tenant's admin key of a running stack, as `eval "$(tocsin env)"` takes them."""
    folder = Target(state).state
    document = endpoints(folder)
    if not document:
        raise CommandError(f"no Tocsin runs from {folder}", "Start one with `tocsin up`, or name its folder: --state.")
    said = {
        "TOCSIN_INGEST_URL": document.get("ingest"),
        "TOCSIN_INBOX_URL": document.get("inbox"),
        "TOCSIN_CONSOLE_URL": document.get("console"),
        "TOCSIN_MAILBOX_URL": document.get("mailbox"),
        "TOCSIN_API_KEY": document.get("demo", {}).get("admin_key"),
    }
    known = {name: str(value) for name, value in said.items() if value}
    exports = [f"export {name}={shlex.quote(value)}" for name, value in known.items()]
    output.answer(known, *exports, for_programs=json)
