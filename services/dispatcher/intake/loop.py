"""One lane's intake: take in, commit, produce, await the acks; the consumer then commits the offset."""

from collections.abc import Sequence

import structlog

from services.dispatcher import handover
from services.dispatcher.intake import refusals, taking_in
from services.dispatcher.intake.batches import Portion, collapsed, transactions
from services.dispatcher.intake.taking_in import Taken
from services.dispatcher.parts import Parts
from services.dispatcher.policy import Rules
from shared.clock import SystemClock
from shared.contract import topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.kafka.consumer import Batch, Position
from shared.postgres import bodies, dead_letters, outbox, positions
from shared.postgres import pool as postgres
from shared.postgres.burial import Burial
from shared.postgres.dead_letters import DeadLetter

_log = structlog.get_logger()


def group(lane: Lane) -> str:
    """The consumer group of a lane's intake."""
    return f"dispatcher.intake.{lane}"


class Intake:
    """Takes in batches of one lane."""

    def __init__(self, lane: Lane, pool: postgres.Pool, parts: Parts, rules: Rules) -> None:
        self._lane = lane
        self._topic = topics.accepted(lane)
        self._pool = pool
        self._producer = parts.producer
        self._metrics = parts.metrics
        self._stop = parts.start.stop
        self._rules = rules
        self.burial = Burial(pool, rules.poison_limit_per_minute)

    async def work(self, batch: Batch) -> None:
        """Take a batch in; returns when it is committed and what follows from it is acknowledged.

        Raises:
            TransientError: PostgreSQL or Kafka is away, or the service stops; the batch is safe to repeat.
            PoisonLimitError: too much of the topic cannot be read; the batch is safe to repeat.
        """
        accepted, poison = refusals.read(batch.records, self._topic)
        parts = [
            portion
            for unique in collapsed(accepted)
            for portion in transactions(unique, self._rules.most_recipients, self._rules.fanout_threshold)
        ]
        self._dropped(Reason.DUPLICATE, len(accepted) - sum(map(len, parts)))
        if poison or not parts:
            await self._bury(poison, () if parts else batch.positions)
        for number, portion in enumerate(parts, 1):
            if self._stop.is_set():
                raise TransientError("the service stops; what is left of the batch comes again", Reason.INTERNAL)
            # The positions go with the last: they may be behind what is durable, never ahead of it.
            await self._take_in(portion, batch.positions if number == len(parts) else ())

    async def _take_in(self, portion: Portion, read: Sequence[Position]) -> None:
        try:
            taken, outbox_id = await self._committed(portion, read)
        except postgres.REFUSED as error:
            await self._take_in_singly(portion, read, error)
            return
        failpoint("dispatcher.intake.after_commit")
        await self._producer.send_all(self._records(taken))
        failpoint("dispatcher.intake.after_produce")
        await self._forget(outbox_id)
        self._count(taken)

    async def _committed(self, portion: Portion, read: Sequence[Position]) -> tuple[Taken, int | None]:
        """What became of a portion, and the outbox row of what only this transaction can tell."""
        async with postgres.transaction(self._pool) as connection:
            taken = await taking_in.taken_in(connection, portion, self._rules)
            for tenant, content in refusals.oversized(taken.conflicts):
                await bodies.keep(connection, tenant, content, dead_letters.KEPT_DAYS)
            outbox_id = await outbox.add(connection, taken.told)
            await self._note(connection, read)
            failpoint("dispatcher.intake.before_commit")
        return taken, outbox_id

    async def _forget(self, outbox_id: int | None) -> None:
        if outbox_id is not None:
            async with postgres.transaction(self._pool) as connection:
                await outbox.forget(connection, [outbox_id])

    async def _take_in_singly(self, portion: Portion, read: Sequence[Position], error: Exception) -> None:
        """Find the one whose values the record refuses, so that it does not hold up the others."""
        if len(portion) > 1:
            for number, accepted in enumerate(portion, 1):
                await self._take_in([accepted], read if number == len(portion) else ())
            return
        letter = refusals.unwritable(portion[0], self._topic, error)
        await self._bury([letter], read)
        await self._producer.send_all([refusals.unwritable_event(portion[0], SystemClock().now())])

    async def _bury(self, letters: Sequence[DeadLetter], read: Sequence[Position]) -> None:
        await self.burial.bury(letters)
        async with postgres.transaction(self._pool) as connection:
            await self._note(connection, read)
        await self._producer.send_all([letter.record() for letter in letters])
        for letter in letters:
            self._metrics.dead_letters.labels(letter.reason).inc()
            self._dropped(letter.reason, 1)
            _log.warning("dead_letter", topic=self._topic, position=letter.position, reason=letter.reason)

    async def _note(self, connection: postgres.Connection, read: Sequence[Position]) -> None:
        await positions.write(
            connection, group(self._lane), [(each.topic, each.partition, each.offset) for each in read]
        )

    def _records(self, taken: Taken) -> list[Record]:
        now = taken.now
        expired = [drop.plan for drop in taken.dropped if drop.reason is Reason.EXPIRED]
        return [
            *handover.records_of([*taken.routed, *taken.unclaimed], taken.windows, now),
            *(handover.accepted(plan.subject, len(plan.recipients), now) for plan in taken.plans),
            *(handover.accepted(stored.subject, stored.recipient_count, now) for stored in taken.replayed),
            *(handover.expired(plan, now) for plan in expired),
            *refusals.conflict_records(taken.conflicts, self._topic, now),
            *taken.told,
        ]

    def _count(self, taken: Taken) -> None:
        self._metrics.taken_in.labels(self._lane).inc(len(taken.plans))
        self._metrics.replayed.labels(self._lane).inc(len(taken.replayed))
        self._dropped(Reason.KEY_CONFLICT, len(taken.conflicts))
        for drop in taken.dropped:
            self._dropped(drop.reason, 1)
        self._metrics.count_routes(self._lane, taken.routed)

    def _dropped(self, reason: Reason, count: int) -> None:
        if count:
            self._metrics.dropped.labels("intake", reason).inc(count)
