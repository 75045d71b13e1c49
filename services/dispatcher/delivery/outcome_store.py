"""Outcomes: what became of claims is written under their fence, with the attempts, dead letters and events of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from services.dispatcher.delivery import claims, events, singling_out
from services.dispatcher.delivery.claim_store import Slot
from services.dispatcher.delivery.outcomes import Outcome, without_words
from shared.clock import Clock
from shared.contract.outcomes import DeliveryState
from shared.contract.records import Record
from shared.postgres import dead_letters, outbox, suppressions
from shared.postgres import pool as postgres
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Connection

_log = structlog.get_logger()

# A fence that has moved on means that somebody else took the delivery up after this lease ran out: its outcome holds.
# Written as an insert that always conflicts, because that goes by the primary key whatever the planner knows. An
# UPDATE … FROM is planned over the small index of leased rows, through which every row passes: full of dead entries
# between two vacuums it takes longer with every batch. Each row is locked before, so that one deleted meanwhile is
# passed over: the insert would bring it back.
_RECORD = """
WITH told AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::date[], $3::bigint[], $4::text[], $5::text[], $6::double precision[],
                       $7::integer[], $8::text[], $9::text[], $10::text[], $11::double precision[], $12::boolean[])
    AS o (id, expires_on, fence, state, reason, due_in_seconds, spent, outcome, attempt_reason, detail, seconds, gone)
), recorded AS (
  INSERT INTO deliveries AS d (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state,
    reason, attempt, fence, due_at, accepted_at, created_at, ended_at)
  SELECT x.tenant, x.id, x.expires_on, x.subject, x.subject_id, x.recipient, x.endpoint, x.channel, x.lane, o.state,
    o.reason, x.attempt + o.spent, o.fence,
    CASE WHEN o.state = 'retry' THEN db_now() + make_interval(secs => o.due_in_seconds) END,
    x.accepted_at, x.created_at, CASE WHEN o.state <> 'retry' THEN db_now() END
  FROM told o CROSS JOIN LATERAL (
    SELECT * FROM deliveries x
    WHERE x.id = o.id AND x.expires_on = o.expires_on AND x.state = 'leased' AND x.fence = o.fence
    LIMIT 1 FOR UPDATE
  ) x
  ORDER BY x.id
  ON CONFLICT (id, expires_on) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,
    attempt = EXCLUDED.attempt, due_at = EXCLUDED.due_at, ended_at = EXCLUDED.ended_at,
    lease_owner = NULL, lease_until = NULL, released_until = NULL
  WHERE d.state = 'leased' AND d.fence = EXCLUDED.fence
  RETURNING d.tenant, d.id, d.expires_on, d.endpoint, d.attempt
), tried AS (
  INSERT INTO attempts (tenant, delivery_id, expires_on, attempt, at, outcome, reason, detail, seconds)
  SELECT r.tenant, r.id, r.expires_on, r.attempt - o.spent, db_now() - make_interval(secs => o.seconds), o.outcome,
    o.attempt_reason, o.detail, o.seconds
  FROM recorded r JOIN told o USING (id)
  WHERE o.outcome IS NOT NULL
  ON CONFLICT DO NOTHING
), gone AS MATERIALIZED (
  -- By itself, and first: joined in one step with every endpoint of the tenant, a batch is compared with itself once
  -- for each of them. Only what is gone has an endpoint's id for certain: a mail's endpoint is 'email'.
  SELECT r.tenant, r.endpoint::uuid AS endpoint FROM recorded r JOIN told o USING (id) WHERE o.gone
), disabled AS (
  UPDATE endpoints e SET state = 'disabled', reason = 'endpoint_gone', changed_at = clock_timestamp()
  FROM gone g
  WHERE e.id = g.endpoint AND e.tenant = g.tenant AND e.state = 'active'
)
SELECT id FROM recorded
"""

# A start means that this slot's last process is dead: what it held may have been sent or not. What may not be repeated
# (on_ambiguous: hold, of one of a digest's members too; the last attempt) waits for the end of its lease, where the
# scheduler gives it up. Aggregates, since they cannot become joins that read every notification.
_REOPEN = """
WITH reopened AS (
  UPDATE deliveries d
  SET state = 'retry', reason = 'lease_ran_out', attempt = d.attempt + 1, fence = d.fence + 1, due_at = db_now(),
    released_until = NULL, lease_owner = NULL, lease_until = NULL
  WHERE d.state = 'leased' AND d.lease_owner = $1 AND d.attempt < $2
    AND NOT coalesce(CASE d.subject
      WHEN 'digest' THEN (
        SELECT bool_or(n.options ->> 'on_ambiguous' = 'hold') FROM inbox_items i
        JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
        WHERE i.digest_id = d.subject_id AND i.tenant = d.tenant)
      ELSE (
        SELECT bool_or(n.options ->> 'on_ambiguous' = 'hold') FROM notifications n
        WHERE n.id = d.subject_id AND n.expires_on = d.expires_on AND n.tenant = d.tenant)
    END, false)
  RETURNING d.tenant, d.id, d.expires_on, d.attempt - 1 AS tried
), tried AS (
  INSERT INTO attempts (tenant, delivery_id, expires_on, attempt, at, outcome, reason, detail, seconds)
  SELECT tenant, id, expires_on, tried, db_now(), 'ambiguous', 'lease_ran_out',
    'the sink ended before it recorded an outcome', 0
  FROM reopened
  ON CONFLICT DO NOTHING
)
SELECT count(*) FROM reopened
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written: the outcomes that held, and their `records`, kept under `outbox_id` until they are sent."""

    outcomes: Sequence[Outcome]
    records: Sequence[Record]
    outbox_id: int | None


class OutcomeStore:
    """Writes outcomes for one slot."""

    def __init__(self, pool: postgres.Pool, slot: Slot, clock: Clock) -> None:
        self._pool = pool
        self._slot = slot
        self._clock = clock

    async def record(self, outcomes: Sequence[Outcome]) -> Recorded:
        """Write the outcomes whose fence still holds; the others are not among `Recorded.outcomes`.

        Running it again after a doubtful commit writes nothing twice. An outcome whose values PostgreSQL refuses is
        written without its words, or dead-lettered, and holds up no other; its lease then runs out.
        """
        try:
            async with postgres.transaction(self._pool) as connection:
                rows = await connection.fetch(_RECORD, *_columns(outcomes))
                return await self._told(connection, outcomes, rows, ())
        except postgres.REFUSED:
            return await self._recorded_singly(outcomes)

    async def _recorded_singly(self, outcomes: Sequence[Outcome]) -> Recorded:
        """Without the words of those whose values PostgreSQL refuses; a letter for what it refuses even so."""
        async with postgres.transaction(self._pool) as connection:

            async def write(some: Sequence[Outcome]) -> Sequence[Any]:
                return await connection.fetch(_RECORD, *_columns(some))

            rows, strange = await singling_out.written(connection, outcomes, write)
            wordless = {outcome.claim.request.id: without_words(outcome) for outcome, _ in strange}
            more, refused = await singling_out.written(connection, list(wordless.values()), write)
            for outcome, said in refused:
                _log.error("outcome_refused", delivery_id=str(outcome.claim.request.id), error=type(said).__name__)
            letters = [claims.refused(outcome.claim.request, said) for outcome, said in refused]
            given = [wordless.get(outcome.claim.request.id, outcome) for outcome in outcomes]
            return await self._told(connection, given, [*rows, *more], letters)

    async def _told(
        self, connection: Connection, outcomes: Sequence[Outcome], rows: Sequence[Any], letters: Sequence[DeadLetter]
    ) -> Recorded:
        """Bury and tell what belongs to the rows written; `letters` are of outcomes that could not be."""
        held: set[UUID] = {row["id"] for row in rows}
        written = [outcome for outcome in outcomes if outcome.claim.request.id in held]
        dead = [outcome for outcome in written if outcome.state is DeliveryState.DEAD]
        await dead_letters.bury(connection, [*letters, *(events.dead_letter(outcome) for outcome in dead)])
        await suppressions.add(connection, [told for outcome in dead for told in events.suppressed(outcome)])
        now = self._clock.now()
        records = [record for outcome in written for record in events.records_of(outcome, now)]
        records += [letter.record() for letter in letters]
        outbox_id = await outbox.add(connection, records)
        return Recorded(written, records, outbox_id)

    async def reopen(self, max_attempts: int) -> int:
        """Make due again what this slot held when it died, as attempts that are ambiguous; how many those were."""
        with postgres.transient_when_away():
            return int(await self._pool.fetchval(_REOPEN, self._slot.owner, max_attempts))

    async def forget(self, outbox_ids: Sequence[int]) -> None:
        """Delete outbox rows whose records Kafka has acknowledged."""
        with postgres.transient_when_away():
            await outbox.forget(self._pool, outbox_ids)


def _columns(outcomes: Sequence[Outcome]) -> list[list[Any]]:
    attempts = [outcome.attempt for outcome in outcomes]
    return [
        [outcome.claim.request.id for outcome in outcomes],
        [outcome.claim.request.expires_on for outcome in outcomes],
        [outcome.claim.fence for outcome in outcomes],
        [outcome.state for outcome in outcomes],
        [outcome.reason for outcome in outcomes],
        [outcome.due_in_seconds for outcome in outcomes],
        [_spent(outcome) for outcome in outcomes],
        [attempt.outcome if attempt else None for attempt in attempts],
        [attempt.reason if attempt else None for attempt in attempts],
        [attempt.detail or None if attempt else None for attempt in attempts],
        [outcome.seconds for outcome in outcomes],
        [attempt is not None and attempt.gone for attempt in attempts],
    ]


def _spent(outcome: Outcome) -> int:
    """The row's attempt moves on only when there is a next one."""
    return int(outcome.attempt is not None and outcome.state is DeliveryState.RETRY)
