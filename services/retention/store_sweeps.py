"""Statements of the sweeps: rows without a partition of a day, removed in batches that no replica waits for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.retention.policy import Cutoffs
from shared.postgres import pool as postgres
from shared.postgres.pool import Pool


class Swept(StrEnum):
    """What is swept, by the name of its table."""

    FANOUTS = "fanouts"
    WINDOWS = "windows"
    IDENTITIES = "identities"
    SCHEDULES = "schedules"
    BODIES = "bodies"
    RUNS = "runs"


_FANOUTS = """
DELETE FROM fanouts WHERE notification_id IN (
  SELECT notification_id FROM fanouts WHERE ended_at < $1 OR expires_on < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)
"""

_WINDOWS = """
DELETE FROM windows WHERE id IN (SELECT id FROM windows WHERE due_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_IDENTITIES = """
DELETE FROM identities WHERE id IN (
  SELECT id FROM identities WHERE expires_on < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_SCHEDULES = """
DELETE FROM schedules WHERE id IN (
  SELECT id FROM schedules WHERE remove_after < $1 AND state <> 'pending' LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_BODIES = """
DELETE FROM bodies WHERE (tenant, hash) IN (
  SELECT tenant, hash FROM bodies WHERE keep_until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_RUNS = """
DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE ended_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Removes at most a batch of one kind; raises TransientError while PostgreSQL is away."""

    pool: Pool

    async def remove(self, swept: Swept, old: Cutoffs, most: int) -> int:
        """Delete at most so many rows that are old; returns how many it were."""
        statement, arguments = _statement(swept, old)
        with postgres.transient_when_away():
            status = await self.pool.execute(statement, *arguments, most)
        return int(status.rpartition(" ")[2])


def _statement(swept: Swept, old: Cutoffs) -> tuple[str, tuple[Any, ...]]:
    match swept:
        case Swept.FANOUTS:
            return _FANOUTS, (old.fanouts_before, old.fanout_days_before)
        case Swept.WINDOWS:
            return _WINDOWS, (old.windows_before,)
        case Swept.IDENTITIES:
            return _IDENTITIES, (old.today,)
        case Swept.SCHEDULES:
            return _SCHEDULES, (old.now,)
        case Swept.BODIES:
            return _BODIES, (old.now,)
        case Swept.RUNS:
            return _RUNS, (old.runs_before,)
