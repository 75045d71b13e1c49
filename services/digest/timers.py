"""What faust's agent and timer call: windows that opened are remembered, windows that are due are flushed.

A timer is a hint. It may be lost, late or doubled, since faust acknowledges in `finally`, recovers tables that lag
behind, and runs its timers on every worker; the flush decides in PostgreSQL, and the search for what is overdue
finds the rest.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from services.digest.flush import Flush
from services.digest.windows import Alarms
from shared.clock import Clock
from shared.contract import codec, messages
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import TransientError
from shared.postgres import dead_letters, outbox
from shared.postgres import pool as postgres
from shared.retry import Backoff

_log = structlog.get_logger()

BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0)


@dataclass(slots=True)
class Timers:
    """The timers of this replica's share of the windows."""

    flush: Flush
    clock: Clock
    most: int
    """Windows flushed in one transaction."""
    _alarms: Alarms = field(default_factory=Alarms)
    _not_before: float = 0.0
    _failures: int = 0
    _ringing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def opened(self, record: Record, position: tuple[int, int]) -> bool:
        """Set the timer of a window that opened; False when the record is not one, and is a dead letter now.

        Raises:
            TransientError: the dead letter could not be stored; call again.
        """
        try:
            window = _window(record)
        except codec.UndecodableError as error:
            await self._bury(record, position, str(error))
            return False
        self._alarms.set(str(window.id).encode(), window.due_at)
        return True

    def recovered(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Set the timers of a table that was read from its changelog."""
        for key, value in entries:
            try:
                self._alarms.set(key, codec.decoded(value, messages.WindowOpened).due_at)
            except codec.UndecodableError as error:
                _log.warning("table_entry_ignored", error=str(error))
        _log.info("timers_recovered", timers=len(self._alarms))

    async def ring(self) -> list[bytes]:
        """Flush what is due; returns the keys that need no timer any more, none while another flush is under way.

        Ringing that waited its turn would pile up while flushes take longer than the time between two looks.
        """
        if self._ringing.locked():
            return []
        async with self._ringing:
            return await self._rung()

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """While open no timer rings, and what was being flushed when it opened has been."""
        async with self._ringing:
            yield

    async def _rung(self) -> list[bytes]:
        if self.clock.monotonic() < self._not_before:
            return []
        done: list[bytes] = []
        while due := self._alarms.due(self.clock.now(), self.most):
            closed = await self._flushed(due)
            self._alarms.forget(closed)
            done += closed
            if len(closed) < self.most:
                break
        self.flush.metrics.timers.set(len(self._alarms))
        return done

    async def _flushed(self, due: Iterable[bytes]) -> list[bytes]:
        ids = {key: UUID(key.decode()) for key in due}
        try:
            still_open = await self.flush.named(list(ids.values()))
        except TransientError as error:
            self._failures += 1
            wait_seconds = BACKOFF.delay_seconds(self._failures, random.random())  # noqa: S311 - jitter is no secret
            self._not_before = self.clock.monotonic() + wait_seconds
            _log.warning("flush_failed", reason=error.reason, error=str(error), again_in_seconds=round(wait_seconds, 1))
            return []
        self._failures = 0
        return [key for key, window in ids.items() if window not in still_open]

    async def _bury(self, record: Record, position: tuple[int, int], detail: str) -> None:
        letter = dead_letters.of_record(record, position, "", Reason.UNDECODABLE, detail)
        async with postgres.transaction(self.flush.pool) as connection:
            await dead_letters.bury(connection, [letter])
            await outbox.add(connection, [letter.record()])
        self.flush.metrics.dead_letters.labels(Reason.UNDECODABLE).inc()
        _log.warning("dead_letter", topic=record.topic, partition=position[0], offset=position[1], detail=detail)


def _window(record: Record) -> messages.WindowOpened:
    """The window of a record; the key must be its id, since the table is kept by it."""
    window = codec.decoded(record.value, messages.WindowOpened)
    if record.key != str(window.id).encode():
        raise codec.UndecodableError("the key is not the window's id")
    return window
