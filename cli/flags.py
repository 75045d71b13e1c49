"""The options that many commands share, spelled once, and how several of them become one value."""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
State = Annotated[Path | None, typer.Option("--state", help="State folder of a running `tocsin up`.")]
Key = Annotated[str | None, typer.Option("--key", help="API key; else TOCSIN_API_KEY.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the service; else from the environment or --state.")]
Postgres = Annotated[str | None, typer.Option("--postgres", help="DSN of the database's owner.")]
Kafka = Annotated[str | None, typer.Option("--kafka", help="host:port of a Kafka broker.")]


class Group:
    """A value made of several options: its constructor's parameters, each declared as typer wants it."""


def spelled_out(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes groups, as typer sees it: every group's options stand where the group stands."""
    signature = inspect.signature(command)
    groups = {each.name: each.annotation for each in signature.parameters.values() if _is_group(each)}
    members = {name: inspect.signature(group).parameters for name, group in groups.items()}

    @wraps(command)
    def called(**given: Any) -> None:
        made = {
            name: group(**{member: given.pop(member) for member in members[name]}) for name, group in groups.items()
        }
        command(**given, **made)

    spelled = [option for each in signature.parameters.values() for option in _options(each)]
    called.__signature__ = signature.replace(parameters=spelled)  # type: ignore[attr-defined]
    called.__annotations__ = {option.name: option.annotation for option in spelled}
    return called


def _is_group(parameter: inspect.Parameter) -> bool:
    return isinstance(parameter.annotation, type) and issubclass(parameter.annotation, Group)


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    if not _is_group(parameter):
        yield parameter
        return
    for member in inspect.signature(parameter.annotation).parameters.values():
        yield member.replace(kind=inspect.Parameter.KEYWORD_ONLY)
