"""The folder for what is fetched once and used by every checkout of this user."""

import os
import pathlib
from collections.abc import Mapping


def folder(environment: Mapping[str, str] = os.environ) -> pathlib.Path:
    """`TOCSIN_CACHE`, else `tocsin` below `XDG_CACHE_HOME` or `~/.cache`."""
    if own := environment.get("TOCSIN_CACHE"):
        return pathlib.Path(own).expanduser()
    if shared := environment.get("XDG_CACHE_HOME"):
        return pathlib.Path(shared).expanduser() / "tocsin"
    return pathlib.Path.home() / ".cache" / "tocsin"
