"""Named places where a test makes a process die, freeze or fail: what a crash leaves behind must be shown, not argued.

`TOCSIN_FAILPOINTS` holds `name=action` pairs, comma separated; without it a failpoint costs one look into an empty
table. `kill` ends the process as `kill -9` does, `stop` freezes it until SIGCONT, `raise` raises FailpointError.
"""

import os
import signal

_ACTIONS = frozenset({"kill", "stop", "raise"})


class FailpointError(Exception):
    """A failpoint was told to raise."""


def armed(setting: str) -> dict[str, str]:
    """The action of each failpoint that a setting names.

    Raises:
        ValueError: a pair is not `name=kill`, `name=stop` or `name=raise`.
    """
    pairs = [pair.strip().partition("=") for pair in setting.split(",") if pair.strip()]
    for name, _, action in pairs:
        if not name or action not in _ACTIONS:
            raise ValueError(f"TOCSIN_FAILPOINTS: {name}={action} is not name=kill, name=stop or name=raise")
    return {name: action for name, _, action in pairs}


# The one look at the environment outside of settings: arming is no configuration, and no service may offer it as one.
_ARMED = armed(os.environ.get("TOCSIN_FAILPOINTS", ""))


def failpoint(name: str) -> None:
    """Do what the environment asks for at this place; mostly nothing."""
    action = _ARMED.get(name)
    if action is None:
        return
    if action == "raise":
        raise FailpointError(name)
    os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)
