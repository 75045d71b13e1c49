"""The functions that an installation adds: scripts and jobs, found by the entry points of installed packages.

A package offers a script under the group `tocsin.scripts` and a job under `tocsin.jobs`. The doors and the console
only ask for names; the code is loaded where it runs.
"""

import functools
import importlib.metadata
from collections.abc import Callable
from enum import StrEnum

from shared.scripts import Call

DEFAULT_SCRIPT = "default"
"""The built-in script: one mail per recipient and class at the end of a window, which the digest sends."""

Function = Callable[[Call], object]
"""A script or job; what it returns is awaited where it can be, and means nothing."""


class Kind(StrEnum):
    """What a function is added as."""

    SCRIPT = "script"
    JOB = "job"


class UnknownFunctionError(LookupError):
    """No installed package offers a function of this kind and name."""


@functools.cache
def names(kind: Kind) -> frozenset[str]:
    """The names that requests may use, the built-in script not among them; asks the file system once."""
    return frozenset(importlib.metadata.entry_points(group=f"tocsin.{kind}s").names) - {DEFAULT_SCRIPT}


@functools.cache
def loaded(kind: Kind, name: str) -> Function:
    """The function of a name; importing it runs its package's code.

    Raises:
        UnknownFunctionError: there is none, or no longer.
        Exception: whatever importing it raises.
    """
    for entry in importlib.metadata.entry_points(group=f"tocsin.{kind}s", name=name):
        function: Function = entry.load()
        return function
    raise UnknownFunctionError(f"no installed package offers a {kind} {name!r}; install it where the scripts run")
