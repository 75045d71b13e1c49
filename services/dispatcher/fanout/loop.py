"""The loop of one lane's fan-out: lease, write a stretch of recipients, produce, await the acks, hand over."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog

from services.dispatcher import handover, routing, store_directory, store_rows, store_stored
from services.dispatcher.fanout import store
from services.dispatcher.fanout.backlog import Backlog
from services.dispatcher.fanout.store import Key
from services.dispatcher.fanout.stretches import Fanout, Stretch, Work, next_stretch
from services.dispatcher.handover import Window
from services.dispatcher.parts import Parts
from services.dispatcher.policy import Subject
from services.dispatcher.routing import Routed
from shared.contract.importance import Lane
from shared.contract.records import Record
from shared.failpoint import failpoint
from shared.postgres import audiences
from shared.postgres import pool as postgres
from shared.runtime.sweeping import sweeping

_log = structlog.get_logger()


class Written(NamedTuple):
    """A stretch as it was committed: what is to be produced of it, and the recipients handed over once that is acked.

    `routed` are the rows it wrote; None where there are none, as its notification goes no further, or were before.
    """

    records: list[Record]
    deliveries: int
    last: int
    routed: Routed | None = None


class Spreading:
    """Fan-out of one lane in one process, a turn at a time."""

    def __init__(self, lane: Lane, pool: postgres.Pool, backlog: Backlog, parts: Parts) -> None:
        self._lane = lane
        self._pool = pool
        self._backlog = backlog
        self._parts = parts
        self._settings = parts.settings
        self._owner = parts.instance

    async def run(self, stop: asyncio.Event) -> None:
        """Take turns until `stop`; wait where nothing is open, the sinks are behind, or a part is away."""
        await sweeping(f"fan-out of {self._lane}", self.turn, self._settings.fanout_poll_seconds)(stop)

    async def turn(self) -> bool:
        """One stretch of the fan-out whose turn it is; False when there is none, or no room for one.

        Raises:
            TransientError: Kafka or PostgreSQL is away; the lease and the cursor say where to go on.
        """
        if not await self._any_open() or not await self._backlog.has_room(asyncio.get_running_loop().time()):
            return False
        fanout = await self.leased()
        if fanout is None:
            return False
        await self.spread(fanout)
        return True

    async def spread(self, fanout: Fanout) -> bool:
        """Write the next stretch and hand it over; False when the lease is lost."""
        stretch = next_stretch(fanout, self._settings.fanout_chunk)
        written = await self._committed(fanout, stretch)
        if written is None:
            return False
        failpoint("dispatcher.fanout.after_commit")
        await self._parts.producer.send_all(written.records)
        self._backlog.add(written.deliveries)
        failpoint("dispatcher.fanout.after_produce")
        await self._handed_over(fanout, written.last)
        if written.routed is not None:
            self._parts.metrics.count_routes(self._lane, [written.routed])
        return True

    async def _any_open(self) -> bool:
        """Whether the sinks' backlog matters at all: asking Kafka for it costs more than all that is idle otherwise."""
        with postgres.transient_when_away():
            return bool(await self._pool.fetchval(store.ANY_OPEN, self._lane))

    async def leased(self) -> Fanout | None:
        """The fan-out whose turn it is; None when none is open."""
        async with postgres.transaction(self._pool) as connection:
            return await store.lease(connection, self._lane, self._owner, self._settings.fanout_lease_seconds)

    async def _committed(self, fanout: Fanout, stretch: Stretch) -> Written | None:
        """The stretch once its rows are there; None when the lease is lost."""
        async with postgres.transaction(self._pool) as connection:
            now = await store_directory.now(connection)
            subject = await self._subject(connection, fanout)
            if subject is None:
                return await self._over(connection, fanout, stretch, now)
            if stretch.work is Work.REPEAT:
                recipients = await store.recipients(connection, fanout.notification_id, stretch)
                routed = await store_stored.unclaimed_of(connection, subject, recipients)
                windows = await store_stored.open_windows(connection, [routed])
                return Written(_records(routed, windows, now), _deliveries(routed), stretch.last)
            key = (subject.tenant, subject.id, subject.lifetime.expires_on)
            advanced = await self._advanced(connection, fanout, stretch, key)
            if advanced is None:
                return None
            profiles = await store_directory.profiles(connection, {(subject.tenant, each) for each in advanced})
            routed = routing.routed(subject, advanced, profiles)
            windows = await store_rows.write(connection, [routed], now)
            last = stretch.first + len(advanced)
            return Written(_records(routed, windows, now), _deliveries(routed), last, routed)

    async def _over(
        self, connection: postgres.Connection, fanout: Fanout, stretch: Stretch, now: datetime
    ) -> Written | None:
        """The stretch of a notification that was withdrawn or has expired: whom it was still to reach is told so.

        What is not begun of the rows that are there is told by retention.
        """
        over = await store.over(connection, fanout, self._owner)
        if over is None:
            return None
        if stretch.work is Work.REPEAT:
            every = await store.recipients(connection, fanout.notification_id, stretch)
            unreached, last = every[max(0, over.written - stretch.first) :], stretch.last
        else:
            advanced = await self._advanced(connection, fanout, stretch, over.key)
            if advanced is None:
                return None
            unreached, last = list(advanced), stretch.first + len(advanced)
            self._parts.metrics.dropped.labels("routing", over.reason).inc(len(unreached))
        return Written([handover.unreached(over.key, each, over.reason, now) for each in unreached], 0, last)

    async def _advanced(
        self, connection: postgres.Connection, fanout: Fanout, stretch: Stretch, key: Key
    ) -> Sequence[str] | None:
        """The recipients up to which the cursor was moved; None when the lease is lost."""
        if stretch.work is Work.WRITE or fanout.walk is None:
            return await store.advance(connection, fanout, self._owner, stretch)
        walk, most = fanout.walk, self._settings.fanout_chunk
        begin = audiences.Position(walk.group_after, walk.member_after)
        step = await audiences.step(connection, key[0], walk.audience, begin, most)
        fresh = await store.without_rows(connection, key, step.members)
        moved = await store.advance_walk(connection, fanout, self._owner, store.Walked(walk, step, fresh))
        return fresh if moved else None

    async def _subject(self, connection: postgres.Connection, fanout: Fanout) -> Subject | None:
        alive = await store_stored.alive(connection, [fanout.notification_id], self._settings.default_window_seconds)
        return alive[0].subject if alive else None

    async def _handed_over(self, fanout: Fanout, count: int) -> None:
        async with postgres.transaction(self._pool) as connection:
            ended = await store.hand_over(connection, fanout.notification_id, self._owner, count)
        if ended:
            _log.info("fan_out_ended", notification_id=str(fanout.notification_id), recipients=count)


def _records(routed: Routed, windows: Sequence[Window], now: datetime) -> list[Record]:
    return list(handover.records_of([routed], windows, now))


def _deliveries(routed: Routed) -> int:
    """How much of the sinks' backlog a stretch makes."""
    return sum(len(route.push) or 1 for route in routed.routes)
