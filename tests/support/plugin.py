"""A package of scripts and jobs, as an installation adds one: its functions, and how it is installed for a test."""

import asyncio
import time
from pathlib import Path

from shared.scripts import Call

SCRIPTS = (
    "welcome", "remind", "broken", "slow", "politely", "onward", "tampering", "outward", "withdraw", "handing_on",
)  # fmt: skip
JOBS = ("weekly",)


def installed(folder: Path) -> str:
    """Install this module as a package below a folder; the folder, as PYTHONPATH takes it."""
    metadata = folder / "acme_scripts-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-scripts\nVersion: 1.0\n")
    lines = ["[tocsin.scripts]", *(f"{name} = tests.support.plugin:{name}" for name in SCRIPTS)]
    lines += [f"{name} = tests.support.plugin_{name}:{name}" for name in ("leaving", "hanging")]
    lines += ["[tocsin.jobs]", *(f"{name} = tests.support.plugin:{name}" for name in JOBS)]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return str(folder)


def welcome(call: Call) -> None:
    """Tell newcomers that they have been set up, and leave nothing behind (seed 002)."""
    call.email(f"Welcome: {call.notification.name}", "You have been set up.")
    call.delete()


def withdraw(call: Call) -> None:
    """Have nothing of it reach anybody any more."""
    call.delete()


def remind(call: Call) -> None:
    """The source's usual script: later, of each recipient."""
    if call.recipient is None:
        call.schedule(after_seconds=float(call.options()["after_seconds"]))
    elif call.recipient.kind == "user":
        call.email(f"Reminder for {call.recipient.id}", call.notification.description)


def broken(call: Call) -> None:
    """Raise, as a script with a fault does."""
    call.notify(name="never", description="never", recipients=["ada"])
    raise ValueError(f"the boiler is off, attempt {call.attempt}")


def slow(call: Call) -> None:
    """Take longer than a script may."""
    time.sleep(float(call.options().get("seconds", 5)))
    call.notify(name="never", description="never", recipients=["ada"])


async def politely(call: Call) -> None:
    """Await something, then ask for two notifications."""
    await asyncio.sleep(0)
    for number in range(2):
        call.notify(name=f"{call.notification.name} {number}", description="From a script", recipients=["ada"])


def onward(call: Call) -> None:
    """Ask for a notification of another class."""
    call.notify(name="Onward", description="From a script", recipients=["ada"], class_key="alarms")


def outward(call: Call) -> None:
    """Ask for a notification of the same class to whom the options name."""
    call.notify(
        name="Outward", description="From a script", class_key=call.notification.class_key, **call.options()["whom"]
    )


def handing_on(call: Call) -> None:
    """Ask for a notification whose own script is another one."""
    call.notify(
        name=f"{call.notification.name}, handed on", description="From a script", recipients=["user-0"],
        class_key=call.notification.class_key, script="onward",
    )  # fmt: skip


def tampering(call: Call) -> None:
    """Ask for what no verb would take: nothing to write down, or more than Kafka takes."""
    length = call.options().get("length")
    call.requests.append({"idempotency_key": "k", "name": object() if length is None else "x" * length})


def weekly(call: Call) -> None:
    """A job: say for when it was called."""
    assert call.due is not None
    said = f"{call.due.local.isoformat()} {call.due.timezone}"
    call.notify(
        name=f"Weekly: {call.notification.name}", description=said, recipients=list(call.notification.recipients)
    )
