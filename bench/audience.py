"""A notification to an audience of 2,000 and then of 1,000,000 members: how fast, and with how much memory.

Bounded by `--seconds`: what is not fanned out by then is told as such.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from bench import usage
from deploy.local import trial

_FEW = 2_000
_LOOK_SECONDS = 0.5

_GROUP = "INSERT INTO groups (tenant, kind, id, name, company) VALUES ($1, 'team', $2, $2, 'bench')"
_USERS = """
INSERT INTO users (tenant, id) SELECT $1, 'member-' || number FROM generate_series(1, $2::integer) AS number
ON CONFLICT DO NOTHING
"""
_MEMBERS = """
INSERT INTO group_members (tenant, kind, group_id, user_id, status)
SELECT $1, 'team', $2, 'member-' || number, 'accepted' FROM generate_series(1, $3::integer) AS number
"""
_PROGRESS = """
SELECT coalesce(max(handed_over), 0) AS handed_over, coalesce(bool_and(ended_at IS NOT NULL), false) AS ended
FROM fanouts WHERE notification_id = $1
"""

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(slots=True)
class Spread:
    """How a fan-out went: members reached, seconds, and the most the dispatcher held meanwhile."""

    members: int
    reached: int = 0
    seconds: float = 0.0
    ended: bool = False
    most_rss_mb: float = 0.0
    cpu_us: dict[str, float] = field(default_factory=dict)


async def main() -> None:
    """Fan out to few and to many, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="the longest the large one may take")
    parser.add_argument("--members", type=int, default=1_000_000)
    arguments = parser.parse_args()
    async with trial.started() as running:
        database = await asyncpg.connect(running.endpoints["postgres"])
        try:
            few = await _spread(running, database, _FEW, arguments.seconds)
            many = await _spread(running, database, arguments.members, arguments.seconds)
        finally:
            await database.close()
        after = usage.measured(running)
    usage.told({
        "name": "audience", "figure": round(many.reached / many.seconds, 1), "unit": "members/s", "ceiling": None,
        "ratio": None, "cpu_us_per_item": many.cpu_us, "rss_mb": usage.rss_mb(after), "p50_ms": None, "p99_ms": None,
        "members": many.members, "reached": many.reached, "ended": many.ended, "seconds": round(many.seconds, 1),
        "dispatcher_most_rss_mb": {str(each.members): each.most_rss_mb for each in (few, many)},
    })  # fmt: skip


async def _spread(running: trial.Trial, database: Database, members: int, most_seconds: float) -> Spread:
    """One notification to a group of its own, watched until it is with everybody."""
    group = f"of-{members}"
    await database.execute(_GROUP, trial.TENANT, group)
    await database.execute(_USERS, trial.TENANT, members)
    await database.execute(_MEMBERS, trial.TENANT, group, members)
    await database.execute("ANALYZE users, group_members")
    spread, before = Spread(members), usage.measured(running)
    begun = time.monotonic()
    notification = await _sent(running, group)
    while not spread.ended and spread.seconds < most_seconds:
        await asyncio.sleep(_LOOK_SECONDS)
        (row,) = await database.fetch(_PROGRESS, notification)
        spread.seconds = time.monotonic() - begun
        spread.reached, spread.ended = row["handed_over"], row["ended"]
        spread.most_rss_mb = max(spread.most_rss_mb, usage.rss_mb(usage.measured(running))["dispatcher"])
    spread.cpu_us = usage.cpu_us(before, usage.measured(running), max(spread.reached, 1))
    sys.stderr.write(f"{spread}\n")
    return spread


async def _sent(running: trial.Trial, group: str) -> str:
    body = {
        "source": "bench", "name": "For everybody", "description": "In one place", "recipients": [],
        "audience": {"kind": "team", "company": "bench", "ids": [group]}, "importance": "info", "channels": ["inbox"],
    }  # fmt: skip
    async with running.http.post(running.endpoints["ingest"] + "/v1/notifications", json=body) as response:
        if response.status != 202:  # noqa: PLR2004 - the one answer that counts
            raise RuntimeError(f"{response.status}: {await response.text()}")
        return str((await response.json())["notification_id"])


if __name__ == "__main__":
    asyncio.run(main())
