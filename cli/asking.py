"""A notification put together from options, as the wire takes it."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli import flags
from cli.errors import CommandError


@dataclass(frozen=True, kw_only=True)
class Wanted(flags.Group):
    """One notification as options say it."""

    to: Annotated[list[str] | None, typer.Option(help="A recipient's id; repeat it for more.")] = None
    audience: Annotated[
        str | None, typer.Option(metavar="KIND[:ID,…]@COMPANY", help="The members of groups, as in team:23,27@3.")
    ] = None
    parent: Annotated[str | None, typer.Option(help="The audience's event or smart library.")] = None
    name: Annotated[str, typer.Option(help="What it is about, in one line.")] = ""
    description: Annotated[str, typer.Option(help="What it says, as Markdown.")] = ""
    source: Annotated[str, typer.Option(help="Who asks, as recipients know it.")] = "tocsin-cli"
    importance: Annotated[str, typer.Option(help="default, info, success, warning, danger or primary.")] = "default"
    class_: Annotated[str, typer.Option("--class", help="Communication class.")] = "general"
    channel: Annotated[list[str] | None, typer.Option(help="inbox, push or email; all by default.")] = None
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Override an option of the class.")] = (
        None
    )
    action_url: Annotated[str | None, typer.Option(help="Where a recipient acts; makes an action required.")] = None
    at: Annotated[str | None, typer.Option(metavar="LOCAL@ZONE", help="2026-12-01T09:00@Australia/Sydney")] = None
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes a second notification.")] = None

    def body(self) -> dict[str, Any]:
        """The request's body, without what no option said.

        Raises:
            CommandError: an option of the class, the audience or the time is not written as it must be.
        """
        fields = {
            "source": self.source,
            "name": self.name,
            "description": self.description or self.name,
            "recipients": self.to or [],
            "audience": _audience(self.audience, self.parent),
            "importance": self.importance,
            "class": self.class_,
            "channels": self.channel,
            "options": dict(_option(text) for text in self.option or []),
            "action_url": self.action_url,
            "requires_action": self.action_url and True,
            "schedule": _schedule(self.at) if self.at is not None else None,
            "idempotency_key": self.idempotency_key,
        }
        return {field: value for field, value in fields.items() if value is not None}


def _option(text: str) -> tuple[str, Any]:
    """An option's name and value, which is JSON where it is JSON, else text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"{text!r} is no option", "Write it as NAME=VALUE, such as email=immediate.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _audience(text: str | None, parent: str | None) -> dict[str, Any] | None:
    if text is None:
        if parent is not None:
            raise CommandError("--parent says nothing without --audience", "Name the groups with --audience.")
        return None
    groups, sign, company = text.rpartition("@")
    if not sign or not groups or not company:
        raise CommandError(f"{text!r} is no audience", "Write it as team:23,27@3, or team@3 for every team of 3.")
    kind, _, ids = groups.partition(":")
    named = {"ids": [each.strip() for each in ids.split(",")]} if ids else {}
    return {"kind": kind, "company": company, **named, **({} if parent is None else {"parent": parent})}


def _schedule(at: str) -> dict[str, str]:
    local, sign, zone = at.partition("@")
    if not sign:
        raise CommandError(f"{at!r} names no time zone", "Write it as 2026-12-01T09:00@Australia/Sydney.")
    return {"local": local, "timezone": zone}
