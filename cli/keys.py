"""`tocsin keys`: the API keys of a tenant."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import flags, output
from cli.target import Target
from shared.access import Scope
from shared.client import Console
from shared.client.answers import ApiKey

app = typer.Typer(help="Make, list, rotate and revoke API keys (needs an admin key).", no_args_is_help=True)

_SCOPES = ", ".join([*Scope, "publish:<class>"])


@app.command("create")
def create(
    *,
    name: Annotated[str, typer.Argument(help="Whom it is for.")],
    scope: Annotated[list[str] | None, typer.Option(help=f"What it may do; repeat it: {_SCOPES}.")] = None,
    expires: Annotated[datetime | None, typer.Option(help="When it ends, UTC unless an offset is given.")] = None,
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Make a key; it is shown now and never again."""
    ends = expires.replace(tzinfo=expires.tzinfo or UTC) if expires else None
    _show(asyncio.run(_created(Target(state, url, key).console(), name, scope or [Scope.PUBLISH], ends)), as_json=json)


@app.command("rotate")
def rotate(
    *,
    key_id: Annotated[str, typer.Argument(help="The id of the key, as `keys list` shows it.")],
    both: Annotated[int | None, typer.Option(min=0, help="Seconds both texts open it; a day unless said.")] = None,
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """Give a key a new text; the one before opens for a while longer, so that callers can change over."""
    _show(asyncio.run(_rotated(Target(state, url, key).console(), key_id, both)), as_json=json)


@app.command("revoke")
def revoke(
    *,
    key_id: Annotated[str, typer.Argument(help="The id of the key, as `keys list` shows it.")],
    state: flags.State = None,
    url: flags.Url = None,
    key: flags.Key = None,
    json: flags.Json = False,
) -> None:
    """End a key at once."""
    asyncio.run(_revoked(Target(state, url, key).console(), key_id))
    output.as_json({"id": key_id, "revoked": True}) if json else output.lines(f"{key_id} revoked")


@app.command("list")
def list_(*, state: flags.State = None, url: flags.Url = None, key: flags.Key = None, json: flags.Json = False) -> None:
    """List the tenant's keys, without their secrets."""
    found = asyncio.run(_listed(Target(state, url, key).console()))
    if json:
        output.as_json(found)
        return
    output.table(
        ("id", "name", "scopes", "expires (UTC)", "revoked (UTC)"),
        [
            (each.id, each.name, ", ".join(each.scopes), output.moment(each.expires_at), output.moment(each.revoked_at))
            for each in found
        ],
    )


async def _created(client: Console, name: str, scopes: list[str], ends: datetime | None) -> ApiKey:
    async with client as console:
        return await console.create_key(name, scopes, ends)


async def _rotated(client: Console, key_id: str, both_seconds: int | None) -> ApiKey:
    async with client as console:
        return await console.rotate_key(key_id, both_seconds)


async def _revoked(client: Console, key_id: str) -> None:
    async with client as console:
        await console.revoke_key(key_id)


async def _listed(client: Console) -> list[ApiKey]:
    async with client as console:
        return [each async for each in console.api_keys()]


def _show(made: ApiKey, *, as_json: bool) -> None:
    if as_json:
        output.as_json(made)
    else:
        output.lines(f"{made.id}  {made.key}", "Keep it now: it is not shown again.")
