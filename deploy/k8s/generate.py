"""Writes what the manifests take from the code: `python -m deploy.k8s.generate [--check]`.

`base/topics.yaml` comes from the table of topics, `base/settings/*.env` from the services' settings classes.
"""

import argparse
import pathlib
import sys

from deploy.k8s import configmaps, topics

BASE = pathlib.Path(__file__).parent / "base"


def files() -> dict[pathlib.Path, str]:
    """Every generated file with the text it should hold."""
    settings = {BASE / "settings" / f"{service}.env": text for service, text in configmaps.env_files().items()}
    return {BASE / "topics.yaml": topics.manifest(), **settings}


def stale() -> list[pathlib.Path]:
    """The generated files that do not hold what the code says now."""
    return [path for path, text in files().items() if not path.is_file() or path.read_text() != text]


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` only name those that are behind the code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.k8s.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a file is not current")
    if parser.parse_args(arguments).check:
        behind = [str(path.relative_to(BASE.parent)) for path in stale()]
        if behind:
            print(f"not current, run `make generate`: {', '.join(behind)}", file=sys.stderr)
        return 1 if behind else 0
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
