"""`tocsin keys`: the API keys of a tenant."""

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
_KEPT = "Keep it now: it is not shown again."

KeyId = Annotated[str, typer.Argument(help="The id of the key, as `keys list` shows it.")]


@app.command("create")
@flags.spelled_out
def create(
    *,
    name: Annotated[str, typer.Argument(help="Whom it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=f"What it may do, publish unless said; repeat it: {_SCOPES}.")
    ] = None,
    expires: Annotated[datetime | None, typer.Option(help="When it ends, UTC unless an offset is given.")] = None,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Make a key; it is shown now and never again."""
    ends = expires.replace(tzinfo=expires.tzinfo or UTC) if expires else None
    made = target.asked(lambda console: console.create_key(name, scope or [Scope.PUBLISH], ends))
    output.answer(made, f"{made.id}  {made.key}", _KEPT, for_programs=json)


@app.command("rotate")
@flags.spelled_out
def rotate(
    *,
    key_id: KeyId,
    both: Annotated[int | None, typer.Option(min=0, help="Seconds both texts open it; a day unless said.")] = None,
    target: Target,
    json: flags.Json = False,
) -> None:
    """Give a key a new text; the one before opens for a while longer, so that callers can change over."""
    made = target.asked(lambda console: console.rotate_key(key_id, both))
    output.answer(made, f"{made.id}  {made.key}", _KEPT, for_programs=json)


@app.command("revoke")
@flags.spelled_out
def revoke(*, key_id: KeyId, target: Target, json: flags.Json = False) -> None:
    """End a key at once."""
    target.asked(lambda console: console.revoke_key(key_id))
    output.answer({"id": key_id, "revoked": True}, f"{key_id} revoked", for_programs=json)


@app.command("list")
@flags.spelled_out
def list_(*, target: Target, json: flags.Json = False) -> None:
    """List the tenant's keys, without their secrets."""
    found: list[ApiKey] = target.listed(Console.api_keys)
    shown = output.table(
        ("id", "name", "scopes", "expires (UTC)", "revoked (UTC)"),
        [
            (each.id, each.name, ", ".join(each.scopes), output.moment(each.expires_at), output.moment(each.revoked_at))
            for each in found
        ],
    )
    output.answer(found, shown, for_programs=json)
