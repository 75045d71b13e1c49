"""The loop of follow-ups: a stretch of recipients of the one whose turn it is, told, and noted in one transaction."""

import asyncio

import structlog

from services.dispatcher.follow_ups import steps, store
from services.dispatcher.follow_ups.store import Left
from services.dispatcher.parts import Parts
from shared.failpoint import failpoint
from shared.postgres import follow_ups
from shared.postgres import pool as postgres
from shared.postgres.follow_ups import Kind
from shared.runtime.sweeping import sweeping

_log = structlog.get_logger()


class FollowingUp:
    """Follow-ups of all tenants, in turns of a stretch; as many replicas may take turns as there are."""

    def __init__(self, pool: postgres.Pool, parts: Parts) -> None:
        self._pool = pool
        self._producer = parts.producer
        self._settings = parts.settings

    async def run(self, stop: asyncio.Event) -> None:
        """Take turns until `stop`; wait where nothing is left, or a part is away."""
        await sweeping("follow-ups", self.turn, self._settings.fanout_poll_seconds)(stop)

    async def turn(self) -> bool:
        """One stretch; False when there is none.

        What is told goes out before the commit: told twice, it says the same.

        Raises:
            TransientError: Kafka or PostgreSQL is away; the stretch begins again.
        """
        async with postgres.transaction(self._pool) as connection:
            left = await store.turn(connection)
            if left is None:
                return False
            await self._seen_to(connection, left)
            failpoint("dispatcher.follow_ups.before_commit")
        failpoint("dispatcher.follow_ups.after_commit")
        return True

    async def _seen_to(self, connection: postgres.Connection, left: Left) -> None:
        what, most = left.what, self._settings.fanout_chunk
        is_over = what.kind is Kind.SCHEDULED and await store.is_over(connection, what)
        items = [] if is_over else await follow_ups.items(connection, what, most)
        if items:
            await self._producer.send_all(await steps.see_to(connection, what, items))
        if len(items) == most:
            await store.move(connection, left, items[-1].recipient)
            return
        await store.end(connection, left)
        _log.info("follow_up_ended", kind=what.kind, notification_id=str(what.notification_id))
