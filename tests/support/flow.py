"""A bounded flow of notifications through a running system, and the comparison of what was asked with what arrived."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from deploy.local.trial import Trial
from tests.support import outside

_QUIET_SECONDS = 60.0
_AGAIN_SECONDS = 0.1
_LOOK_SECONDS = 0.25
_AGAIN = frozenset({429, 500, 502, 503, 504})


@dataclass(slots=True)
class Ledger:
    """What this client was promised: every (notification id, recipient) behind a 202.

    `repeats` counts how often it had to ask again; `caught_before` is how many webhooks others had caught by then.
    """

    promised: set[tuple[str, str]] = field(default_factory=set)
    repeats: int = 0
    caught_before: int = 0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What the catcher received: (notification id, recipient) by delivery id."""

    pairs: dict[str, tuple[str, str]]

    def lost(self, ledger: Ledger) -> set[tuple[str, str]]:
        """Promised and never arrived."""
        return ledger.promised - set(self.pairs.values())

    def visible_repeats(self) -> list[tuple[str, str]]:
        """Pairs that arrived under two delivery ids: a receiver that honours `webhook-id` would see them twice."""
        return [pair for pair, count in Counter(self.pairs.values()).items() if count > 1]


async def send(
    system: Trial, users: Sequence[str], notifications: int, recipients: int, per_second: float, ledger: Ledger
) -> None:
    """Send at a steady rate through the HTTP door, repeating with the same key until the door has answered 202."""
    ledger.caught_before = await system.received("hooks")
    begun = time.monotonic()
    limit = asyncio.Semaphore(64)

    async def one(number: int) -> None:
        async with limit:
            chosen = [users[(number * recipients + offset) % len(users)] for offset in range(recipients)]
            notification = await _accepted(system, number, chosen, ledger)
            ledger.promised.update((notification, recipient) for recipient in chosen)

    async with asyncio.TaskGroup() as group:
        for number in range(notifications):
            await asyncio.sleep(max(0.0, begun + number / per_second - time.monotonic()))
            group.create_task(one(number))


async def _accepted(system: Trial, number: int, recipients: Sequence[str], ledger: Ledger) -> str:
    body = {
        "source": "flow", "name": f"Reading {number}", "description": "Out of range", "recipients": list(recipients),
        "importance": "warning" if number % 3 else "info", "class": "alarms", "channels": ["inbox", "push"],
        "idempotency_key": f"{recipients[0]}-reading-{number}",
    }  # fmt: skip
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError, TimeoutError):  # the door was killed: ask again
                url = system.endpoints["ingest"] + "/v1/notifications"
                async with system.http.post(url, json=body, timeout=aiohttp.ClientTimeout(total=15)) as response:
                    if response.status == 202:
                        return str((await response.json())["notification_id"])
                    if response.status not in _AGAIN:
                        raise AssertionError(f"{response.status}: {await response.text()}")
            ledger.repeats += 1
            await asyncio.sleep(_AGAIN_SECONDS)


async def arrivals(system: Trial, users: Sequence[str]) -> Arrivals:
    """Everything the catcher holds for these users."""
    pairs: dict[str, tuple[str, str]] = {}
    for user in users:
        for hook in await outside.caught(system, user):
            body = hook["body"]
            pairs[body["delivery_id"]] = (body["notification_id"], body["recipient"])
    return Arrivals(pairs)


async def settled(system: Trial, users: Sequence[str], ledger: Ledger) -> Arrivals:
    """Wait until all that was promised has arrived, or nothing new arrives for a minute."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < _QUIET_SECONDS:
        count = await system.received("hooks")
        if count != seen:
            seen, since = count, time.monotonic()
            if count >= ledger.caught_before + len(ledger.promised):
                found = await arrivals(system, users)
                if not found.lost(ledger):
                    return found
        await asyncio.sleep(_LOOK_SECONDS)
    return await arrivals(system, users)
