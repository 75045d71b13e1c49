"""How late schedules are released while very many others wait: 1,000 due a second beside 1,000,000 pending.

Lateness is from the due time to the moment a reader of the accepted notifications has it.
"""

import argparse
import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer

from bench import usage
from deploy.local import trial
from shared.contract import topics
from shared.contract.importance import Importance, Lane
from shared.contract.messages import NotificationAccepted

_A_SECOND = 1_000
_LEAD_SECONDS = 8.0
_WAIT_SECONDS = 60.0
_ROWS_AT_ONCE = 100_000

# The first id, how many, when the first is due, seconds between two, and the notification that all of them are.
_PLAN = """
INSERT INTO schedules (id, tenant, notification_id, due_at, local, timezone, notification, remove_after)
SELECT id, $2, own, due_at, due_at AT TIME ZONE 'UTC', 'UTC',
  $6::jsonb || jsonb_build_object('id', own, 'notification_id', own, 'schedule_id', id),
  due_at + make_interval(days => 30)
FROM (
  SELECT $1::bigint + number AS id, gen_random_uuid() AS own,
    $4::timestamptz + number * make_interval(secs => $5) AS due_at
  FROM generate_series(0, $3::bigint - 1) AS number
) planned
"""


async def main() -> None:
    """Plan what waits and what falls due, then watch it being released."""
    arguments = _arguments()
    async with trial.started() as running:
        await running.populate(1)
        database = await asyncpg.connect(running.endpoints["postgres"])
        consumer: Any = AIOKafkaConsumer(
            topics.accepted(Lane.ROUTINE), bootstrap_servers=running.endpoints["kafka"], auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            await _pending(database, arguments.pending)
            before = usage.measured(running)
            due = await _due(database, int(arguments.seconds * _A_SECOND))
            late = await _lateness(consumer, due)
            after = usage.measured(running)  # while the connection's backend still counts
        finally:
            await consumer.stop()
            await database.close()
    usage.told({
        "name": "release", "figure": usage.quantile_ms(late, 0.99), "unit": "ms late (p99)", "ceiling": 1_000.0,
        "ratio": round(usage.quantile_ms(late, 0.99) / 1_000.0, 3),
        "cpu_us_per_item": usage.cpu_us(before, after, len(late)), "rss_mb": usage.rss_mb(after),
        "p50_ms": usage.quantile_ms(late, 0.5), "p99_ms": usage.quantile_ms(late, 0.99), "released": len(late),
        "pending": arguments.pending, "due_per_second": _A_SECOND,
    })  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long schedules fall due")
    parser.add_argument("--pending", type=int, default=1_000_000, help="schedules that wait beside them")
    return parser.parse_args()


async def _pending(database: "asyncpg.Connection[asyncpg.Record]", count: int) -> None:
    """Schedules of the next years, 40 days from now the first."""
    begun, first = time.monotonic(), datetime.now(UTC) + timedelta(days=40)
    for done in range(0, count, _ROWS_AT_ONCE):
        some = min(_ROWS_AT_ONCE, count - done)
        await database.execute(_PLAN, 10**12 + done, trial.TENANT, some, first, 1.0, _notification())
    await database.execute("ANALYZE schedules")
    sys.stderr.write(f"{count} pending after {time.monotonic() - begun:.0f} s\n")


async def _due(database: "asyncpg.Connection[asyncpg.Record]", count: int) -> dict[str, float]:
    """When each schedule of the next seconds is due (seconds since 1970), by notification."""
    first = datetime.now(UTC) + timedelta(seconds=_LEAD_SECONDS)
    await database.execute(_PLAN, 1, trial.TENANT, count, first, 1 / _A_SECOND, _notification())
    rows = await database.fetch("SELECT notification_id, due_at FROM schedules WHERE id <= $1", count)
    if time.time() > first.timestamp():
        raise RuntimeError("planning took longer than the lead; this machine is too busy to measure on")
    return {str(row["notification_id"]): row["due_at"].timestamp() for row in rows}


def _notification() -> str:
    """One that only reaches an inbox, so that what is measured is the release."""
    own, now = uuid4(), datetime.now(UTC)
    return NotificationAccepted.model_validate({
        "id": own, "at": now, "tenant": trial.TENANT, "notification_id": own, "source": "bench",
        "name": "Due now", "description": "It was planned", "recipients": ["user-0"], "importance": Importance.INFO,
        "class": "alarms", "options": {}, "items": [], "requires_action": False, "channels": ["inbox"],
        "lane": Lane.ROUTINE, "door": "http", "owner": "bench", "accepted_at": now,
    }).encoded().decode()  # fmt: skip


async def _lateness(consumer: Any, due: dict[str, float]) -> list[float]:
    """Seconds by which each came after its time."""
    late: dict[str, float] = {}
    async with asyncio.timeout(len(due) / _A_SECOND + _LEAD_SECONDS + _WAIT_SECONDS):
        while len(late) < len(due):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                now = time.time()
                for record in records:
                    notification = json.loads(record.value)["notification_id"]
                    if notification in due:
                        late.setdefault(notification, now - due[notification])
    return list(late.values())


if __name__ == "__main__":
    asyncio.run(main())
