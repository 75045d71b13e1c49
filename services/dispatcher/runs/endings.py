"""How a run ends, in one transaction: its effects, its story, its letter; then what is told of it."""

from collections.abc import Sequence

import orjson
import structlog

from services.dispatcher.follow_ups import steps
from services.dispatcher.runs import planning, store, withdrawal
from services.dispatcher.runs.planning import Run
from shared import owners
from shared.clock import Clock
from shared.contract import ids, topics
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import PermanentError, TransientError
from shared.failpoint import failpoint
from shared.kafka.producer import Producer
from shared.postgres import dead_letters, outbox
from shared.postgres import pool as postgres
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.follow_ups import FollowUp, Kind
from shared.postgres.pool import Connection
from shared.scripts import Call, Later

_log = structlog.get_logger()

TOPIC = "runs"
"""What a letter says instead of a topic."""


class Endings:
    """Ends runs whose lease still holds; for those whose lease was lost nothing happens."""

    def __init__(self, pool: postgres.Pool, producer: Producer, clock: Clock) -> None:
        self._pool = pool
        self._producer = producer
        self._clock = clock

    async def done(self, run: Run, call: Call) -> None:
        """A script returned: everything it asked for happens now, or all of it again when this fails."""
        async with postgres.transaction(self._pool) as connection:
            if not await store.end(connection, run, "done", None):
                return
            told = [request_record(run.tenant, body, call.notification.owner) for body in call.requests]
            for number, later in enumerate(call.later):
                await self._schedule(connection, run, number, later)
            await store.tell(connection, run, f"{run.kind}_done", asked_for=len(told) or None)
            if call.deleted:
                told += await withdrawal.withdraw(connection, run)
                await store.tell(connection, run, "cancelled")
            outbox_id = await outbox.add(connection, told)
            failpoint("dispatcher.runs.before_commit")
        failpoint("dispatcher.runs.after_commit")
        await self._produced(outbox_id, told)

    async def reported(self, run: Run, bodies: Sequence[dict[str, object]]) -> None:
        """A notification has ended: tell the admins, if there are any."""
        told = [request_record(run.tenant, body) for body in bodies]
        async with postgres.transaction(self._pool) as connection:
            if not await store.end(connection, run, "done", None):
                return
            outbox_id = await outbox.add(connection, told)
            failpoint("dispatcher.completion.before_commit")
        failpoint("dispatcher.completion.after_commit")
        await self._produced(outbox_id, told)

    async def nothing_to_do(self, run: Run, reason: Reason) -> None:
        """What it was about has been withdrawn, has expired or is gone."""
        async with postgres.transaction(self._pool) as connection:
            await store.end(connection, run, "cancelled", reason)

    async def again(self, run: Run, reason: Reason | None, seconds: float, *, is_attempt: bool = False) -> None:
        """Run it again after a wait; `is_attempt` when this one counts."""
        async with postgres.transaction(self._pool) as connection:
            await store.put_back(connection, run, reason, seconds, is_attempt=is_attempt)
            if is_attempt and reason is not None:
                await store.tell(connection, run, f"{run.kind}_failed", reason=reason)

    async def dead(self, run: Run, reason: Reason, detail: str) -> None:
        """It is given up: a dead letter says why, and re-driving it makes it due again."""
        letter = letter_of(run, reason, detail)
        async with postgres.transaction(self._pool) as connection:
            if not await store.end(connection, run, "dead", reason):
                return
            await dead_letters.bury(connection, [letter])
            await store.tell(connection, run, f"{run.kind}_dead", reason=reason)
            outbox_id = await outbox.add(connection, [letter.record()])
        await self._produced(outbox_id, [letter.record()])

    async def _schedule(self, connection: Connection, run: Run, number: int, later: Later) -> None:
        now = self._clock.now()
        about, asked = (run.tenant, run.notification_id, run.expires_on), planning.asked_for(run, number, later, now)
        if not later.each_recipient:
            await store.insert(connection, [planning.later_run(about, asked, run.recipient)])
            return
        what = FollowUp(run.tenant, Kind.SCHEDULED, run.notification_id, run.expires_on, now, run=asked.kept())
        await steps.begin(connection, what)

    async def _produced(self, outbox_id: int | None, told: list[Record]) -> None:
        """Send at once what the scheduler would send a little later; what fails is left to it."""
        if outbox_id is None:
            return
        try:
            await self._producer.send_all(told)
            failpoint("dispatcher.runs.after_produce")
            async with postgres.transaction(self._pool) as connection:
                await outbox.forget(connection, [outbox_id])
        except (TransientError, PermanentError) as error:
            _log.warning("run_left_to_the_scheduler", reason=error.reason, error=str(error))


def request_record(tenant: str, body: dict[str, object], owner: str = owners.TOPIC) -> Record:
    """A native body on its way to the topic door, which validates it as everybody's; its key makes it one.

    Scripts that it names have the authority of `owner`: a script hands on no more than it has.
    """
    key = str(body["idempotency_key"]).encode()
    headers = [("tenant", tenant.encode()), (owners.HEADER, owner.encode())]
    return Record(topics.REQUESTS, key, orjson.dumps(body), headers)


def letter_of(run: Run, reason: Reason, detail: str) -> DeadLetter:
    """The letter of a run that was given up; kept as long as a letter is."""
    about = {
        "run": str(run.id), "kind": run.kind, "name": run.name, "notification_id": str(run.notification_id),
        "recipient": run.recipient, "attempt": run.attempt,
    }  # fmt: skip
    original = Record(TOPIC, str(run.id).encode(), orjson.dumps(about))
    letter = ids.derived("dead_run", [str(run.id), run.fence])
    return DeadLetter(run.tenant, letter, reason, dead_letters.storable(detail), original, delivery_id=run.id)
