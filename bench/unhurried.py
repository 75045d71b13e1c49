"""A system with nothing else to do: how long one notification takes, at 20 a second, from exact times.

From just before the request to the moment the catcher had it; both clocks are this machine's.
"""

import argparse
import asyncio
import datetime as dt
import json
import time
from typing import Any

from bench import usage
from deploy.local import trial

_A_SECOND = 20
_WAIT_SECONDS = 60.0


async def main() -> None:
    """Send for a while, wait for all of it, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it sends")
    seconds = parser.parse_args().seconds
    async with trial.started() as running:
        (user,) = await running.populate(1)
        await _sent(running, user, 20, "Warming up")
        before = usage.measured(running)
        sent = await _sent(running, user, int(seconds * _A_SECOND), "Reading")
        took = await _taken(running, user, sent)
        after = usage.measured(running)
    usage.told({
        "name": "unhurried", "figure": usage.quantile_ms(took, 0.5), "unit": "ms", "ceiling": None, "ratio": None,
        "cpu_us_per_item": usage.cpu_us(before, after, len(took)), "rss_mb": usage.rss_mb(after),
        "p50_ms": usage.quantile_ms(took, 0.5), "p99_ms": usage.quantile_ms(took, 0.99), "delivered": len(took),
    })  # fmt: skip


async def _sent(running: trial.Trial, user: str, count: int, name: str) -> dict[str, float]:
    """When each was sent, by name."""
    sent: dict[str, float] = {}
    url, begun = running.endpoints["ingest"] + "/v1/notifications", time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / _A_SECOND - time.monotonic()))
        body = {
            "source": "bench", "name": f"{name} {number}", "description": "Beyond its limits", "recipients": [user],
            "importance": "info", "class": "alarms", "channels": ["inbox", "push"],
        }  # fmt: skip
        sent[str(body["name"])] = time.time()
        async with running.http.post(url, json=body) as response:
            response.raise_for_status()
    return sent


async def _taken(running: trial.Trial, user: str, sent: dict[str, float]) -> list[float]:
    """Seconds that each took, once all have arrived."""
    end = time.monotonic() + _WAIT_SECONDS
    while not sent.keys() <= (arrived := await _arrived(running, user)).keys():
        if time.monotonic() > end:
            raise RuntimeError(f"{len(sent.keys() - arrived.keys())} of {len(sent)} never arrived")
        await asyncio.sleep(0.2)
    return [arrived[name] - at for name, at in sent.items()]


async def _arrived(running: trial.Trial, user: str) -> dict[str, float]:
    async with running.http.get(f"{running.endpoints['mailbox']}/api/hooks/{user}") as response:
        hooks: list[dict[str, Any]] = await response.json()
    return {
        json.loads(hook["body"])["name"]: dt.datetime.fromisoformat(hook["received_at"]).timestamp() for hook in hooks
    }


if __name__ == "__main__":
    asyncio.run(main())
