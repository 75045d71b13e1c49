"""`python -m deploy.reference [--check]`: write the reference pages that are made from the code."""

import sys
import tomllib
from pathlib import Path

from deploy import generated
from deploy.reference import asyncapi, commands, openapi, settings
from shared.contract.topics import TOPICS

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / "docs" / "reference"


def files() -> dict[Path, str]:
    """Every generated file with the text it should hold."""
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    described = {FOLDER / "openapi" / f"{name}.json": text for name, text in openapi.documents().items()}
    return described | {
        FOLDER / "commands.md": commands.page(),
        FOLDER / "settings.md": settings.page(settings.service_settings()),
        FOLDER / "asyncapi.yaml": asyncapi.document(TOPICS, version),
    }


if __name__ == "__main__":
    sys.exit(generated.command("python -m deploy.reference", files))
