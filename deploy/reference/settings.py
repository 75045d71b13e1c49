"""`docs/reference/settings.md`: every setting of every service, from the settings classes."""

import importlib.util
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import services

_UNITS = {"_seconds": "seconds", "_ms": "milliseconds", "_days": "days", "_bytes": "bytes", "_port": "port",
          "_ratio": "ratio", "_per_second": "per second", "_per_minute": "per minute", "_file": "file"}  # fmt: skip

_HEAD = """# Settings

Every service reads its settings once, at start, from environment variables. Secrets may stand in files instead:
`/run/secrets/tocsin/tocsin_<field>` is read where that folder exists; the environment goes before it.

A setting without default must be given. This page is generated from the settings classes by `make generate`.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the reference shows it; `unit` is what its number counts, or what kind of value it is."""

    name: str
    unit: str
    default: str
    description: str


def service_settings() -> dict[str, type[BaseSettings]]:
    """The Settings class of every service that has one, by the service's name."""
    found = {}
    for module in pkgutil.iter_modules(services.__path__):
        name = f"services.{module.name}.settings"
        if importlib.util.find_spec(name) is not None:
            found[module.name] = importlib.import_module(name).Settings
    return found


def settings_of(fragment: type[BaseSettings]) -> Iterator[Setting]:
    """The settings a class itself declares, in its order, without those of its bases."""
    for name, field in fragment.model_fields.items():
        if name in fragment.__annotations__:
            yield Setting(f"TOCSIN_{name.upper()}", unit_of(name, field), _default(field), field.description or "")


def unit_of(name: str, field: FieldInfo) -> str:
    """What a setting's value is: the unit of its name, else a count, or the kind of its value."""
    if field.annotation in (int, float):
        return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "count")
    kinds: Mapping[Any, str] = {str: "text", SecretStr: "secret", bool: "true or false", Path: "file"}
    return kinds.get(field.annotation, "text")


def page(of_services: Mapping[str, type[BaseSettings]]) -> str:
    """The whole page: fragments that several services read first, then each service's own."""
    readers: dict[type[BaseSettings], list[str]] = {}
    for name, settings in of_services.items():
        for fragment in settings.mro():
            if issubclass(fragment, BaseSettings) and any(settings_of(fragment)):
                readers.setdefault(fragment, []).append(name)
    ordered = sorted(readers.items(), key=lambda entry: -len(entry[1]))
    return "\n".join([_HEAD, *(_section(fragment, names) for fragment, names in ordered)])


def _section(fragment: type[BaseSettings], readers: list[str]) -> str:
    title = (fragment.__doc__ or "").strip().splitlines()[0].rstrip(".")
    rows = [f"| `{each.name}` | {each.unit} | {each.default} | {each.description} |" for each in settings_of(fragment)]
    return "\n".join([
        f"## {title}", "", f"Read by {', '.join(readers)}.", "",
        "| variable | unit | default | what it says |", "|---|---|---|---|", *rows, "",
    ])  # fmt: skip


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return f"`{value}`" if value not in ("", None) else "empty"
