"""Writes what the manifests take from the code: `python -m deploy.k8s.generate [--check]`.

`base/topics.yaml` comes from the table of topics, `base/settings/*.env` from the services' settings classes.
"""

import pathlib
import sys

from deploy import generated
from deploy.k8s import configmaps, topics

BASE = pathlib.Path(__file__).parent / "base"


def files() -> dict[pathlib.Path, str]:
    """Every generated file with the text it should hold."""
    settings = {BASE / "settings" / f"{service}.env": text for service, text in configmaps.env_files().items()}
    return {BASE / "topics.yaml": topics.manifest(), **settings}


if __name__ == "__main__":
    sys.exit(generated.command("python -m deploy.k8s.generate", files))
