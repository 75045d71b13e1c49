"""End to end: notifications from a door to webhooks or mails, beside what the slowest part does alone.

Prints a table to stderr and JSON lines to stdout; the last line is the headline, with every scenario in it.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from bench import ceilings, usage
from deploy.local import trial

_HTTP_IN_FLIGHT = 64
_TOPIC_IN_FLIGHT = 500
_AHEAD = 1_500
"""Deliveries the generator may be ahead of the sinks: enough to fill batches, too few to measure a queue."""

_QUIET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One measurement: which door, how many recipients a notification has, what must arrive."""

    name: str
    door: str
    recipients: int
    arrives: str


SCENARIOS = (
    Scenario("http-1-webhook", "http", 1, "hooks"),
    Scenario("http-10-webhooks", "http", 10, "hooks"),
    Scenario("topic-1-webhook", "topic", 1, "hooks"),
    Scenario("topic-1-email", "topic", 1, "mails"),
    Scenario("topic-10-webhooks", "topic", 10, "hooks"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario's figures; cpu_us_per_item and rss_mb are by process."""

    name: str
    figure: float
    unit: str
    ceiling: float
    ratio: float
    cpu_us_per_item: dict[str, float]
    rss_mb: dict[str, float]
    p50_ms: float
    p99_ms: float
    seconds: float = 0.0
    delivered: int = 0
    notifications_per_second: float = 0.0
    scenarios: list[dict[str, Any]] = field(default_factory=list)


async def main() -> None:
    """Measure the chosen scenarios on one system."""
    arguments = _arguments()
    async with trial.started() as running:
        users = await running.populate(100)
        bare = await ceilings.measured(running)
        results = []
        for scenario in SCENARIOS:
            if arguments.only in ("", scenario.name):
                results.append(await _measured(running, scenario, users, arguments.seconds, bare))
                print(json.dumps(asdict(results[-1])), flush=True)
    _show(results, bare)
    headline = asdict(results[-1])
    headline["scenarios"] = [asdict(result) for result in results]
    print(json.dumps(headline))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each scenario sends")
    parser.add_argument("--only", default="", help="measure this scenario alone")
    return parser.parse_args()


async def _measured(
    running: trial.Trial, scenario: Scenario, users: list[str], seconds: float, bare: dict[str, float]
) -> Result:
    before_arrived = await running.received(scenario.arrives)
    before = usage.measured(running)
    histogram = await _histogram(running, scenario)
    started = time.monotonic()
    async with _sender(running, scenario) as send:
        sent = await _send_for(running, scenario, users, seconds, send, before_arrived)
    delivered = await _all_arrived(running, scenario, before_arrived, sent * scenario.recipients)
    took = time.monotonic() - started
    after = usage.measured(running)
    quantile = _quantiles(histogram, await _histogram(running, scenario))
    rate = delivered / took
    ceiling = bare[scenario.arrives]
    return Result(
        name=scenario.name, figure=round(rate, 1), unit="deliveries/s", ceiling=round(ceiling, 1),
        ratio=round(rate / ceiling, 3), cpu_us_per_item=usage.cpu_us(before, after, delivered),
        rss_mb=usage.rss_mb(after), p50_ms=quantile(0.5), p99_ms=quantile(0.99), seconds=round(took, 1),
        delivered=delivered, notifications_per_second=round(sent / took, 1),
    )  # fmt: skip


Send = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def _sender(running: trial.Trial, scenario: Scenario) -> AsyncIterator[Send]:
    if scenario.door == "http":
        url = running.endpoints["ingest"] + "/v1/notifications"

        async def post(body: bytes) -> None:
            async with running.http.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                if response.status != 202:  # noqa: PLR2004 - the one answer that counts
                    raise RuntimeError(f"{response.status}: {await response.text()}")

        yield post
        return
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=running.endpoints["kafka"], acks="all", linger_ms=5, enable_idempotence=False
    )
    await producer.start()
    try:

        async def produce(body: bytes) -> None:
            await producer.send_and_wait("notifications.requests", body, headers=[("tenant", trial.TENANT.encode())])

        yield produce
    finally:
        await producer.stop()


async def _send_for(
    running: trial.Trial, scenario: Scenario, users: list[str], seconds: float, send: Send, before: int
) -> int:
    """Keep senders busy for `seconds`, never further ahead of the sinks than _AHEAD; returns how many were sent."""
    numbers = itertools.count()
    sent = 0
    end = time.monotonic() + seconds
    room = asyncio.Event()
    room.set()

    async def sender() -> None:
        nonlocal sent
        while time.monotonic() < end:
            await room.wait()
            await send(_body(scenario, users, next(numbers)))
            sent += 1

    async def watcher() -> None:
        while time.monotonic() < end:
            arrived = await running.received(scenario.arrives) - before
            room.set() if sent * scenario.recipients - arrived < _AHEAD else room.clear()
            await asyncio.sleep(0.05)
        room.set()

    senders = _HTTP_IN_FLIGHT if scenario.door == "http" else _TOPIC_IN_FLIGHT // scenario.recipients
    async with asyncio.TaskGroup() as group:
        group.create_task(watcher())
        for _ in range(senders):
            group.create_task(sender())
    return sent


def _body(scenario: Scenario, users: list[str], number: int) -> bytes:
    first = number * scenario.recipients
    return json.dumps({
        "source": "bench",
        "name": f"Reading {number} is out of range",
        "description": "The sensor reports a value beyond its limits. [Look at it](https://example.test/sensor)",
        "recipients": [users[(first + offset) % len(users)] for offset in range(scenario.recipients)],
        "importance": "info",
        "class": "alarms",
        "channels": ["inbox", "push"] if scenario.arrives == "hooks" else ["inbox", "email"],
    }).encode()  # fmt: skip


async def _all_arrived(running: trial.Trial, scenario: Scenario, before: int, expected: int) -> int:
    quiet_since, seen = time.monotonic(), -1
    while True:
        arrived = await running.received(scenario.arrives) - before
        if arrived >= expected:
            return arrived
        if arrived != seen:
            quiet_since, seen = time.monotonic(), arrived
        elif time.monotonic() - quiet_since > _QUIET_SECONDS:
            raise RuntimeError(f"{scenario.name}: {expected - arrived} of {expected} deliveries never arrived")
        await asyncio.sleep(0.05)


async def _histogram(running: trial.Trial, scenario: Scenario) -> dict[float, float]:
    """The cumulative buckets of tocsin_delivery_seconds of the scenario's channel, all lanes together."""
    channel = "push" if scenario.arrives == "hooks" else "email"
    buckets: dict[float, float] = {}
    for line in (await running.metrics("dispatcher")).splitlines():
        if line.startswith("tocsin_delivery_seconds_bucket") and f'channel="{channel}"' in line:
            bound = float(line.split('le="')[1].split('"')[0])
            buckets[bound] = buckets.get(bound, 0.0) + float(line.rsplit(" ", 1)[1])
    return buckets


def _quantiles(before: dict[float, float], after: dict[float, float]) -> Callable[[float], float]:
    """A function giving the upper bound in ms of the bucket that a quantile falls into."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    total = max(counts.values(), default=0.0)

    def quantile(share: float) -> float:
        return next((bound * 1000 for bound, count in counts.items() if count >= share * total), 0.0)

    return quantile


def _show(results: list[Result], bare: dict[str, float]) -> None:
    table = Table("scenario", "deliveries/s", "of ceiling", "p50 ms", "p99 ms", "CPU µs per delivery")
    for result in results:
        spent = " ".join(f"{name}:{value:.0f}" for name, value in result.cpu_us_per_item.items())
        table.add_row(
            result.name, f"{result.figure:.0f}", f"{result.ratio:.2f}", f"{result.p50_ms:.0f}",
            f"{result.p99_ms:.0f}", spent,
        )  # fmt: skip
    console = Console(file=sys.stderr)
    console.print(table)
    console.print("alone: " + ", ".join(f"{name} {rate:.0f}/s" for name, rate in bare.items()))


if __name__ == "__main__":
    asyncio.run(main())
