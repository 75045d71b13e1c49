"""`docs/reference/commands.md`: every command of `tocsin` with its arguments and options."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from cli.app import build

_HEAD = """# Commands

`tocsin` is what an operator types. Each command takes `--json` and then prints one JSON document. What is not given as
an option comes from the environment (`TOCSIN_INGEST_URL`, `TOCSIN_INBOX_URL`, `TOCSIN_CONSOLE_URL`, `TOCSIN_API_KEY`,
`TOCSIN_KAFKA_BOOTSTRAP`, `TOCSIN_POSTGRES_DSN`, `TOCSIN_API_KEY_SECRET_FILE`, `TOCSIN_STATE`), and then from the
`endpoints.json` that a running `tocsin up` keeps in its state folder.

| exit code | means |
|---|---|
| 0 | done |
| 1 | refused: something is wrong with what was asked; the message says what |
| 2 | the command line itself is wrong |
| 3 | Tocsin, Kafka or PostgreSQL does not answer; the message says how to repeat it |
| 4 | there is no such thing, or not for this key |

This page is generated from the commands by `make generate`.
"""

_SHARED = frozenset({"--json", "--state", "--url", "--key", "--help"})


def page() -> str:
    """The whole page, in the order of the help."""
    return "\n".join([_HEAD, *(_section(path, command) for path, command in leaves(get_command(build()), ()))])


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from leaves(each, (*path, name))


def _section(path: tuple[str, ...], command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    own = [each for each in options if not _SHARED & set(each.opts)]
    called = " ".join([*path, *(_placeholder(each) for each in arguments)])
    help_ = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    rows = [f"| `{_placeholder(each)}` | {each.help} |" for each in arguments]
    rows += [f"| `{_spelled(each)}` | {each.help} |" for each in own]
    table = ["", "| | |", "|---|---|", *rows] if rows else []
    return "\n".join([f"## `tocsin {called}`", "", help_, *table, ""])


def _placeholder(argument: Any) -> str:
    word = argument.name.upper()
    return word if argument.required else f"[{word}]"


def _spelled(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {option.metavar or 'VALUE'}"
