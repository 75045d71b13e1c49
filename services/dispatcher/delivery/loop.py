"""One lane of one channel: claims are read, sent side by side, and recorded. Knows no channel and no SQL."""

import asyncio
import contextlib
import random
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from services.dispatcher.delivery import outcomes
from services.dispatcher.delivery.admission import Limits
from services.dispatcher.delivery.claim_store import Claimed
from services.dispatcher.delivery.journal import Journal
from services.dispatcher.delivery.observed import Observed
from services.dispatcher.delivery.outcome_store import OutcomeStore, Recorded
from services.dispatcher.delivery.outcomes import Outcome, Policy
from services.dispatcher.delivery.ports import Busy, Claim, Receipt, Sink
from services.dispatcher.delivery.publisher import Publisher
from services.dispatcher.delivery.pulse import Pulse
from services.dispatcher.delivery.reader import Reader
from services.dispatcher.delivery.traffic import Ends, Traffic
from shared.clock import Clock
from shared.contract.outcomes import AttemptOutcome, Reason
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.runtime import lifecycle

_log = structlog.get_logger()

_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Rules:
    """How deliveries are tried again, what bounds them, and how many are claimed or recorded at a time."""

    policy: Policy
    limits: Limits
    batch: int


@dataclass(frozen=True, slots=True)
class Stages:
    """What a delivery passes on its way: reader → sink → store → publisher, watched all along."""

    reader: Reader
    sink: Sink
    store: OutcomeStore
    publisher: Publisher
    observed: Observed
    pulse: Pulse


class DeliveryLoop:
    """Claim → send → record. Holds at most `limits.in_flight` claims and does not read while it does."""

    def __init__(self, stages: Stages, rules: Rules, clock: Clock) -> None:
        self._stages = stages
        self._rules = rules
        self._clock = clock
        self._journal = Journal(stages.store, rules.batch, self._written)
        self._held = 0
        self._freed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; then finish what is being sent, give the rest back, and record all of it."""
        if not await self._reopened(stop):
            return
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._journal.write(), name="journal")
            group.create_task(self._stages.publisher.publish(), name="publisher")
            ends = Ends(self._answered, self._put_off)
            traffic = Traffic(group, self._rules.limits, self._send, ends, self._clock)
            while await self._room(traffic, stop):
                claimed = await self._stages.reader.claimed(stop)
                if claimed is not None:
                    self._admit(claimed, traffic)
            await self._drained(traffic)
            self._journal.close()
            await writing
            self._stages.publisher.close()

    async def _reopened(self, stop: asyncio.Event) -> bool:
        """Take up what this slot held when it died; False when stopped before PostgreSQL answered."""
        while not stop.is_set():
            try:
                reopened = await self._stages.store.reopen(self._rules.policy.max_attempts)
            except TransientError as error:
                await lifecycle.pause(stop, error.retry_after_seconds or 1.0)
            else:
                if reopened:
                    _log.warning("leases_reopened", deliveries=reopened)
                return True
        return False

    async def _room(self, traffic: Traffic, stop: asyncio.Event) -> bool:
        """Wait until a whole batch fits in; False once `stop` is set."""
        self._look(traffic)
        while not stop.is_set() and self._full(traffic):
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), _LOOK_SECONDS)
            self._look(traffic)
        return not stop.is_set()

    def _full(self, traffic: Traffic) -> bool:
        if self._held + self._rules.batch > self._rules.limits.in_flight:
            return True
        return self._stages.sink.single and traffic.crowded(self._rules.batch)

    def _look(self, traffic: Traffic) -> None:
        self._stages.pulse.beat()
        traffic.sweep()

    def _admit(self, claimed: Claimed, traffic: Traffic) -> None:
        self._stages.observed.claimed(claimed)
        self._stages.publisher.add(claimed.outbox_id, claimed.records)
        self._hold(len(claimed.claims))
        for claim in claimed.claims:
            traffic.admit(self._stages.sink.destination(claim), claim, self._held)

    async def _drained(self, traffic: Traffic) -> None:
        for claim in traffic.withdrawn():
            self._journal.add(outcomes.put_off(claim, Reason.HANDED_BACK, 0.0))
        await traffic.ended()

    async def _send(self, claim: Claim) -> Receipt | Busy:
        failpoint("dispatcher.delivery.before_send")
        try:
            answer = await self._stages.sink.send(claim)
        except Exception as error:  # noqa: BLE001 - a fault of ours must end this delivery, not the lane
            where = "".join(traceback.format_tb(error.__traceback__))  # without its message, which may name an address
            _log.error("sink_failed", delivery_id=str(claim.request.id), error=type(error).__name__, where=where)
            answer = Receipt(AttemptOutcome.AMBIGUOUS, Reason.INTERNAL, type(error).__name__)
        failpoint("dispatcher.delivery.after_send")
        return answer

    def _answered(self, claim: Claim, receipt: Receipt, seconds: float) -> None:
        chance = random.random()  # noqa: S311 - jitter is no secret
        self._journal.add(outcomes.outcome_of(claim, receipt, self._rules.policy, seconds, chance))

    def _put_off(self, claim: Claim, seconds: float) -> None:
        self._journal.add(outcomes.put_off(claim, Reason.DESTINATION_FULL, seconds))

    def _written(self, batch: Sequence[Outcome], recorded: Recorded) -> None:
        self._hold(-len(batch))
        self._stages.observed.recorded(batch, recorded)
        self._stages.publisher.add(recorded.outbox_id, recorded.records)
        self._stages.pulse.beat()

    def _hold(self, more: int) -> None:
        self._held += more
        self._stages.observed.held(self._held)
        self._freed.set()
