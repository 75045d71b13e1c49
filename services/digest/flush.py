"""Closing windows: one transaction for a batch, then the records it decided on.

Whoever asks, faust's timers or the search for what is overdue, may ask twice or too early: the row of the window is
claimed by deleting it, so that it closes once and not before its time.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from services.digest import records, store, windows
from services.digest.metrics import Metrics, Trigger
from services.digest.windows import Closed, Window
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.kafka.producer import Producer
from shared.postgres import outbox
from shared.postgres import pool as postgres
from shared.postgres.pool import Connection, Pool

_log = structlog.get_logger()

Claim = Callable[[Connection], Awaitable[list[Window]]]


@dataclass(frozen=True, slots=True)
class _Flushed:
    """What one transaction closed, when, and the outbox row of its events."""

    closed: Sequence[Closed]
    at: datetime
    outbox_row: int | None


@dataclass(frozen=True, slots=True)
class Flush:
    """Flushes windows; every method raises TransientError while PostgreSQL is away, and may be called again."""

    pool: Pool
    producer: Producer
    metrics: Metrics

    async def named(self, ids: Sequence[UUID]) -> set[UUID]:
        """Flush those of these windows that are due; returns the ones still open."""
        await self._flush(lambda connection: store.claim_named(connection, ids), Trigger.TIMER)
        async with postgres.transaction(self.pool) as connection:
            return await store.still_open(connection, ids)

    async def overdue(self, late_seconds: float, most: int) -> int:
        """Flush windows that are late by so much, at most so many; returns how many it were."""
        return await self._flush(
            lambda connection: store.claim_overdue(connection, late_seconds, most), Trigger.OVERDUE
        )

    async def _flush(self, claim: Claim, trigger: Trigger) -> int:
        flushed = await self._recorded(claim)
        if flushed.closed:
            failpoint("digest.after_commit")
            self._count(flushed, trigger)
            await self._told(flushed)
        return len(flushed.closed)

    async def _recorded(self, claim: Claim) -> _Flushed:
        async with postgres.transaction(self.pool) as connection:
            claimed = await claim(connection)
            now = await store.now(connection)
            if not claimed:
                return _Flushed((), now, None)
            closed = windows.closed(claimed, await store.unsent(connection, claimed), now)
            await store.remember(connection, closed, now)
            outbox_row = await outbox.add(connection, list(records.events(closed, now)))
            failpoint("digest.before_commit")
        return _Flushed(closed, now, outbox_row)

    async def _told(self, flushed: _Flushed) -> None:
        """Produce what was decided; what Kafka does not take now is in the tables, and the scheduler produces it."""
        events = records.events(flushed.closed, flushed.at)
        try:
            await self.producer.send_all([*records.deliveries(flushed.closed, flushed.at), *events])
        except TransientError as error:
            _log.warning("flush_left_to_scheduler", reason=error.reason, windows=len(flushed.closed))
            return
        failpoint("digest.after_produce")
        if flushed.outbox_row is not None:
            async with postgres.transaction(self.pool) as connection:
                await outbox.forget(connection, [flushed.outbox_row])

    def _count(self, flushed: _Flushed, trigger: Trigger) -> None:
        self.metrics.flushed.labels(trigger).inc(len(flushed.closed))
        for each in flushed.closed:
            self.metrics.lateness.observe(max(0.0, (flushed.at - each.window.due_at).total_seconds()))
            self.metrics.members.inc(len(each.members))
            self.metrics.digests.inc(bool(each.members))
            for _, reason in each.left_out:
                self.metrics.dropped.labels("digest", reason).inc()
        mails = sum(bool(each.members) for each in flushed.closed)
        _log.info("windows_flushed", windows=len(flushed.closed), digests=mails, trigger=trigger)
