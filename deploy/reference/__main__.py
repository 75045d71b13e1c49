"""`python -m deploy.reference [--check]`: write the reference pages that are made from the code."""

import argparse
import sys
import tomllib
from pathlib import Path

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


def stale() -> list[str]:
    """The names of files that do not hold what the code says now."""
    return [path.name for path, text in files().items() if not path.is_file() or path.read_text() != text]


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with `--check` only name those that are behind the code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a page is not current")
    if parser.parse_args(arguments).check:
        behind = stale()
        if behind:
            sys.stderr.write(f"docs/reference: not current, run `make generate`: {', '.join(behind)}\n")
        return 1 if behind else 0
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
