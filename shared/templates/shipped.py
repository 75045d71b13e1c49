"""Templates that come with the product; a tenant's own of the same name goes before them."""

import functools
from collections.abc import Mapping
from importlib import resources

VERSION = 0
"""A tenant's own versions count from 1."""


@functools.cache
def sources() -> Mapping[str, str]:
    """The HTML of each, by name."""
    folder = resources.files("shared.templates") / "shipped"
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".html")}
