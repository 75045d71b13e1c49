"""Outcomes until they are in the record: kept while PostgreSQL is away, and written first when it is back."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from services.dispatcher.delivery.outcome_store import OutcomeStore, Recorded
from services.dispatcher.delivery.outcomes import Outcome
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.retry import Backoff
from shared.runtime.setbacks import Setbacks

_log = structlog.get_logger()

_BACKOFF = Backoff(first_seconds=0.1, longest_seconds=2.0)

_GATHER_SECONDS = 0.05
"""A slow destination ends few deliveries at a time; written one by one, the writing costs more than the sending."""


class Journal:
    """Writes outcomes in batches: what comes in within a moment, or while another batch is written.

    `written` is told what became of each batch: the outcomes given, and what was recorded of them.
    """

    def __init__(self, store: OutcomeStore, batch: int, written: Callable[[Sequence[Outcome], Recorded], None]) -> None:
        self._store = store
        self._batch = batch
        self._written = written
        self._outcomes: list[Outcome] = []
        self._news = asyncio.Event()
        self._enough = asyncio.Event()
        self._closing = False

    def add(self, outcome: Outcome) -> None:
        """Write this outcome soon."""
        self._outcomes.append(outcome)
        self._news.set()
        if len(self._outcomes) >= self._batch:
            self._enough.set()

    def close(self) -> None:
        """Let `write` return once everything is written."""
        self._closing = True
        self._news.set()
        self._enough.set()

    async def write(self) -> None:
        """Write what is added until closed; never gives an outcome up."""
        while self._outcomes or not self._closing:
            await self._news.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), _GATHER_SECONDS)
            batch = self._outcomes[: self._batch]
            if batch:
                recorded = await self._recorded(batch)
                del self._outcomes[: len(batch)]
                self._written(batch, recorded)
            if not self._outcomes and not self._closing:
                self._news.clear()
            if len(self._outcomes) < self._batch and not self._closing:
                self._enough.clear()

    async def _recorded(self, batch: Sequence[Outcome]) -> Recorded:
        setbacks = Setbacks(_BACKOFF, "outcomes_kept", outcomes=len(self._outcomes))
        while True:
            try:
                failpoint("dispatcher.delivery.before_record")
                recorded = await self._store.record(batch)
            except TransientError as error:
                await asyncio.sleep(setbacks.wait_seconds(error))
            else:
                failpoint("dispatcher.delivery.after_record")
                return recorded
