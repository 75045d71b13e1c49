"""`tocsin validate FILE`: what the door would say, without asking it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import documents, flags, output
from cli.errors import ExitCode
from services.ingest import acceptance
from shared.contract.messages import FieldError


def validate(
    *,
    file: Annotated[Path, typer.Argument(help="JSON or NDJSON with one notification or many; - is stdin.")],
    json: flags.Json = False,
) -> None:
    """Check notifications as the door does, all errors at once; whether recipients exist is not looked up."""
    bodies = documents.notifications(file)
    found = {number: errors for number, body in enumerate(bodies) if (errors := errors_of(body))}
    if json:
        output.as_json({"notifications": len(bodies), "valid": len(bodies) - len(found),
                        "errors": {str(number): errors for number, errors in found.items()}})  # fmt: skip
    else:
        for number, errors in found.items():
            output.lines(f"notification {number + 1} of {len(bodies)}:", *documents.error_lines(errors))
        output.lines(f"{len(bodies) - len(found)} of {len(bodies)} valid")
    if found:
        sys.exit(ExitCode.REFUSED)


def errors_of(body: Any) -> list[FieldError]:
    """Everything the door would find wrong with a body now; empty when it is valid."""
    examined = acceptance.examine(acceptance.Asked(body, {}), datetime.now(UTC))
    return list(examined.errors if isinstance(examined, acceptance.Refused) else examined.late)
