"""Claims: a batch of deliveries becomes leased rows, or rows that say why nothing will be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.dispatcher.delivery import claim_statements, claims, events, singling_out
from services.dispatcher.delivery.claims import Asked, Row
from services.dispatcher.delivery.events import Ended
from services.dispatcher.delivery.ports import Claim
from shared.clock import Clock
from shared.contract.importance import Lane
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel
from shared.contract.records import Record
from shared.postgres import outbox, positions
from shared.postgres import pool as postgres
from shared.postgres.burial import Burial
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Slot:
    """Whose the claims are: a channel and lane of an instance that keeps its name over restarts."""

    channel: Channel
    lane: Lane
    instance: str

    @property
    def owner(self) -> str:
        """The name on the lease."""
        return f"{self.instance}/{self.role}"

    @property
    def role(self) -> str:
        """The role of the process, such as `push.urgent`."""
        return f"{self.channel}.{self.lane}"

    @property
    def group(self) -> str:
        """The consumer group that reads the lane's deliveries."""
        return f"dispatcher.{self.role}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a claim holds, how many records a minute may be poison, and how many members a digest tells of."""

    lease_seconds: float
    poison_per_minute: int
    digest_items: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a batch came to: claims to send, deliveries that ended instead, poison buried.

    The events and dead letters of it are `records`, kept under `outbox_id` until they are sent.
    """

    claims: Sequence[Claim]
    ended: Sequence[Ended]
    poison: Sequence[DeadLetter]
    records: Sequence[Record]
    outbox_id: int | None


class ClaimStore:
    """Claims deliveries for one slot."""

    def __init__(self, pool: postgres.Pool, slot: Slot, bounds: Bounds, clock: Clock) -> None:
        self._pool = pool
        self._slot = slot
        self._bounds = bounds
        self.burial = Burial(pool, bounds.poison_per_minute)
        self._clock = clock

    async def claim(self, asked: Asked) -> Claimed:
        """Lease what may be sent now; end with a reason what may not; pass over what is gone, stale or taken.

        Poison is buried before; the positions are noted in the same transaction. Running it again after a doubtful
        commit claims nothing twice. A request whose values PostgreSQL refuses is poison too.

        Raises:
            TransientError: PostgreSQL is away.
            PoisonLimitError: more poison than may be buried now; nothing was claimed.
        """
        await self.burial.bury(asked.poison)
        try:
            return await self._committed(asked)
        except postgres.REFUSED:
            told = await self._without_refused(asked)
        await self.burial.bury(told.poison)
        return await self._committed(told)

    async def _committed(self, asked: Asked) -> Claimed:
        slot = self._slot
        async with postgres.transaction(self._pool) as connection:
            rows = await self._leased(connection, asked.requests)
            found, ended = claims.sorted_out(asked.requests, rows)
            records = [record for each in ended for record in events.told_of(each, self._clock.now())]
            records += [letter.record() for letter in asked.poison]
            await positions.write(connection, slot.group, asked.positions)
            outbox_id = await outbox.add(connection, records)
        return Claimed(found, ended, asked.poison, records, outbox_id)

    async def _leased(self, connection: Connection, requests: Sequence[DeliveryRequested]) -> Sequence[Row]:
        slot, bounds = self._slot, self._bounds
        more = (bounds.digest_items,) if slot.channel is Channel.EMAIL else ()
        return await connection.fetch(
            claim_statements.OF[slot.channel],
            *_columns(requests),
            slot.channel,
            slot.lane,
            slot.owner,
            bounds.lease_seconds,
            *more,
        )

    async def _without_refused(self, asked: Asked) -> Asked:
        """The batch with what PostgreSQL refuses among its poison; found out by trying, which is undone."""
        with postgres.transient_when_away():
            async with self._pool.acquire() as connection:
                trial = connection.transaction()
                await trial.start()
                try:
                    _, refused = await singling_out.written(
                        connection, asked.requests, lambda some: self._leased(connection, some)
                    )
                finally:
                    await trial.rollback()
        letters = [claims.refused(request, said) for request, said in refused]
        faulty = {request.id for request, _ in refused}
        requests = [request for request in asked.requests if request.id not in faulty]
        return Asked(requests, [*asked.poison, *letters], asked.positions)


def _columns(requests: Sequence[DeliveryRequested]) -> list[list[Any]]:
    return [
        [request.id for request in requests],
        [request.expires_on for request in requests],
        [request.tenant for request in requests],
        [request.subject for request in requests],
        [request.subject_id for request in requests],
        [request.recipient for request in requests],
        [request.endpoint for request in requests],
        [request.attempt for request in requests],
        [request.accepted_at for request in requests],
    ]
