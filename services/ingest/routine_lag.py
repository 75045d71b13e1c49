"""Whether intake of the routine lane lags by more than a second, and whether Kafka answers at all."""

import asyncio
from collections import deque
from collections.abc import Mapping

import structlog

from services.ingest.metrics import Metrics
from shared.clock import Clock
from shared.contract import topics
from shared.contract.importance import Lane
from shared.errors import TransientError
from shared.kafka.lag import LagReader, Progress, open_lag_reader
from shared.runtime import lifecycle
from shared.runtime.settings import KafkaSettings

_log = structlog.get_logger()

INTAKE_GROUP = "dispatcher.intake.routine"
LAG_SECONDS = 1.0


class Ends:
    """Where partitions ended at earlier moments: what turns records behind into seconds behind."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[object, int]]] = deque()

    def behind(self, progress: Mapping[object, Progress], now_seconds: float) -> bool:
        """Whether a record that was there a second ago is still unread, and remember where all ends are now."""
        self._seen.append((now_seconds, {partition: each.end for partition, each in progress.items()}))
        while len(self._seen) > 1 and self._seen[1][0] <= now_seconds - LAG_SECONDS:
            self._seen.popleft()
        at, then = self._seen[0]
        return at <= now_seconds - LAG_SECONDS and any(
            each.read < then.get(partition, 0) for partition, each in progress.items()
        )


class RoutineLag:
    """Watches the lag from outside the group."""

    def __init__(self, settings: KafkaSettings, poll_seconds: float, metrics: Metrics, clock: Clock) -> None:
        self.behind = False
        self._settings = settings
        self._poll_seconds = poll_seconds
        self._metrics = metrics
        self._clock = clock
        self._problem: str | None = "waiting for Kafka"

    async def kafka_answers(self) -> str | None:
        """A readiness check: what the last question to Kafka came to."""
        return self._problem

    async def follow(self, stop: asyncio.Event) -> None:
        """Loop: ask every `poll_seconds`; where Kafka went away, connect anew."""
        while not stop.is_set():
            try:
                async with open_lag_reader(self._settings) as reader:
                    await self._watch(reader, stop)
            except TransientError as error:
                self._set(behind=False, problem=str(error))
                await lifecycle.pause(stop, self._poll_seconds)

    async def _watch(self, reader: LagReader, stop: asyncio.Event) -> None:
        ends = Ends()
        while not stop.is_set():
            progress = await reader.progress(INTAKE_GROUP, [topics.accepted(Lane.ROUTINE)])
            problem = None if progress else "topics are missing; run `tocsin topics create`"
            self._set(behind=ends.behind(progress, self._clock.monotonic()), problem=problem)
            await lifecycle.pause(stop, self._poll_seconds)

    def _set(self, *, behind: bool, problem: str | None) -> None:
        if problem != self._problem:
            _log.warning("kafka_away", error=problem) if problem else _log.info("kafka_answers")
        if behind != self.behind:
            _log.info("routine_lag_changed", behind=behind)
        self.behind, self._problem = behind, problem
        self._metrics.routine_behind.set(behind)
