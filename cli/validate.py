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
    found = {number: wrong_here for number, body in enumerate(bodies) if (wrong_here := errors_of(body))}
    valid = len(bodies) - len(found)
    wrong_by_number = {str(number): each for number, each in found.items()}
    wrong = [
        said
        for number, each in found.items()
        for said in (f"notification {number + 1} of {len(bodies)}:", *documents.error_lines(each))
    ]
    output.answer(
        {"notifications": len(bodies), "valid": valid, "errors": wrong_by_number},
        *wrong,
        f"{valid} of {len(bodies)} valid",
        for_programs=json,
    )
    if found:
        sys.exit(ExitCode.REFUSED)


def errors_of(body: Any) -> list[FieldError]:
    """Everything the door would find wrong with a body now; empty when it is valid."""
    examined = acceptance.examine(acceptance.Asked(body, {}), datetime.now(UTC))
    return list(examined.errors if isinstance(examined, acceptance.Refused) else examined.late)
