"""The role `scripts`: runs that are due are leased, a few at a time, worked off, and ended."""

import asyncio
import functools
import random
from dataclasses import dataclass

import structlog

from services.dispatcher.metrics import Metrics
from services.dispatcher.runs import completion, completion_store, store, subjects
from services.dispatcher.runs.calling import Callers, Ending, Raised, Stopped, TimeUp
from services.dispatcher.runs.endings import Endings
from services.dispatcher.runs.planning import Run, RunKind
from services.dispatcher.runs.subjects import Authority
from services.dispatcher.settings import Settings
from shared import plugins
from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.postgres import pool as postgres
from shared.retry import Backoff
from shared.runtime import lifecycle
from shared.runtime.setbacks import Setbacks
from shared.runtime.sweeping import sweeping
from shared.scripts import Call

_log = structlog.get_logger()

_LEASE_MARGIN_SECONDS = 30.0
"""A lease outlasts the time limit by what reading before and committing after may take."""

_SWEEP_SECONDS = 5.0
_AWAY = Backoff(first_seconds=0.5, longest_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Background:
    """What the role works with; `owner` is the name on its leases."""

    pool: postgres.Pool
    endings: Endings
    callers: Callers
    metrics: Metrics
    settings: Settings
    owner: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work off what is due until `stop`; scripts that still run then are left, and called again later."""
        if not await self._reopened(stop):
            return
        room = asyncio.Semaphore(self.settings.scripts_at_once)
        async with asyncio.TaskGroup() as group:
            group.create_task(sweeping("runs that ran out", self._reopen, _SWEEP_SECONDS)(stop))
            setbacks = Setbacks(_AWAY, "runs_wait")
            while not stop.is_set():
                await room.acquire()
                try:
                    run = None if stop.is_set() else await self._leased()
                    setbacks.over()
                    wait_seconds = self.settings.scripts_poll_seconds
                except TransientError as error:
                    run, wait_seconds = None, setbacks.wait_seconds(error)
                if run is None:
                    room.release()
                    await lifecycle.pause(stop, wait_seconds)
                else:
                    group.create_task(self._work(run, room, stop), name=f"run {run.id}")

    async def stuck(self) -> str | None:
        """A liveness check: a sentence when scripts that do not return hold every place; only a restart helps."""
        overdue = self.callers.overdue()
        return f"{overdue} scripts do not return" if overdue >= self.settings.scripts_at_once else None

    async def _reopened(self, stop: asyncio.Event) -> bool:
        """Take up what this process held when it died, before it holds anything new; False when stopped before."""
        setbacks = Setbacks(_AWAY, "runs_wait")
        while not stop.is_set():
            try:
                await self._reopen(self.owner)
            except TransientError as error:
                await lifecycle.pause(stop, setbacks.wait_seconds(error))
            else:
                return True
        return False

    async def _reopen(self, owner: str | None = None) -> None:
        """Make due again what was leased too long, or by `owner`; raises TransientError while PostgreSQL is away."""
        async with postgres.transaction(self.pool) as connection:
            reopened = await store.reopen(connection, owner)
        if reopened:
            _log.warning("runs_reopened", count=reopened)

    async def _leased(self) -> Run | None:
        if self.callers.overdue() >= self.settings.scripts_at_once:
            return None
        seconds = self.settings.script_seconds + _LEASE_MARGIN_SECONDS
        async with postgres.transaction(self.pool) as connection:
            leased = await store.lease(connection, self.owner, seconds)
        failpoint("dispatcher.runs.after_lease")
        return leased

    async def _work(self, run: Run, room: asyncio.Semaphore, stop: asyncio.Event) -> None:
        try:
            outcome = await self._outcome(run, stop)
            self.metrics.runs.labels(run.kind, outcome).inc()
        except TransientError as error:  # the run stays leased, and is due again when that has run out
            _log.warning("run_not_ended", run=str(run.id), kind=run.kind, reason=error.reason, error=str(error))
        except Exception as error:  # noqa: BLE001 - nor may what nobody foresaw of one run end those of all others
            _log.error("run_not_ended", run=str(run.id), kind=run.kind, reason=Reason.INTERNAL, exc_info=error)
        finally:
            room.release()

    async def _outcome(self, run: Run, stop: asyncio.Event) -> str:
        """Work off a run; what nobody foresaw, such as what a script asked for and no table takes, has failed it."""
        try:
            return await (self._looked(run) if run.kind is RunKind.COMPLETION else self._called(run, stop))
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 - a script is foreign code, and one run is not the others' concern
            _log.error("run_failed_unforeseen", run=str(run.id), kind=run.kind, exc_info=error)
            reason = Reason.INTERNAL if run.kind is RunKind.COMPLETION else Reason.SCRIPT_FAILED
            return await self._failed(run, reason, f"{type(error).__name__}: {error}")

    async def _looked(self, run: Run) -> str:
        """Whether a notification has ended; if not, look again later."""
        async with postgres.transaction(self.pool) as connection:
            standing = await completion_store.standing(connection, run)
            if standing is not None and standing.has_ended:
                admins = await completion_store.admins(connection, run.tenant)
        if standing is None:
            await self.endings.nothing_to_do(run, Reason.EXPIRED)
            return "cancelled"
        if not standing.has_ended:
            await self.endings.again(run, None, completion.next_look_seconds(run.age_seconds))
            return "again"
        await self.endings.reported(run, completion.reports(standing, admins))
        _log.info("notification_ended", notification_id=str(run.notification_id), admins=len(admins))
        return "done"

    async def _called(self, run: Run, stop: asyncio.Event) -> str:
        """Call a script or job once, and end its run or make it due again."""
        async with postgres.transaction(self.pool) as connection:
            subject = await subjects.of_run(connection, run)
        ended = Reason.EXPIRED if subject is None else subject.ended
        if subject is None or ended is not None:
            await self.endings.nothing_to_do(run, ended or Reason.EXPIRED)
            return "cancelled"
        if run.attempt > self.settings.script_attempts:
            return await self._dead(run, Reason.LEASE_RAN_OUT, "its process ended or froze in every attempt")
        if subject.authority is None:
            said = f"its owner {subject.notification.owner} may not send any more: revoked, removed or without its role"
            return await self._dead(run, Reason.FORBIDDEN, said)
        call = Call(
            str(run.id), run.attempt, run.name, subject.notification, subject.recipient, subject.due,
            subject.authority.allows,
        )  # fmt: skip
        load = functools.partial(plugins.loaded, plugins.Kind(run.kind), run.name)
        ending = await self.callers.call(load, call, self.settings.script_seconds, stop)
        failpoint("dispatcher.runs.after_call")
        return await self._ended(run, call, subject.authority, ending)

    async def _ended(self, run: Run, call: Call, authority: Authority, ending: Ending) -> str:
        match ending:
            case None:
                return await self._returned(run, call, authority)
            case Stopped():
                await self.endings.again(run, Reason.HANDED_BACK, 0.0)
                return "again"
            case TimeUp():
                said = f"it did not return within {self.settings.script_seconds:g} s"
                return await self._failed(run, Reason.SCRIPT_FAILED, said)
            case Raised(said, True):
                return await self._dead(run, Reason.FORBIDDEN, said)
            case Raised(said, _):
                return await self._failed(run, Reason.SCRIPT_FAILED, said)

    async def _returned(self, run: Run, call: Call, authority: Authority) -> str:
        if authority.companies is not None:
            async with postgres.transaction(self.pool) as connection:
                beyond = await subjects.beyond(connection, run, authority.companies, call)
            if beyond is not None:
                said = f"its owner may send to companies of its own only, and it asked for {beyond}"
                return await self._dead(run, Reason.FORBIDDEN, said)
        await self.endings.done(run, call)
        return "done"

    async def _failed(self, run: Run, reason: Reason, detail: str) -> str:
        if run.attempt >= self.settings.script_attempts:
            return await self._dead(run, reason, detail)
        backoff = Backoff(self.settings.script_retry_seconds, self.settings.retry_longest_seconds)
        wait = backoff.delay_seconds(run.attempt, random.random())  # noqa: S311 - jitter is no secret
        await self.endings.again(run, reason, wait, is_attempt=True)
        return "again"

    async def _dead(self, run: Run, reason: Reason, detail: str) -> str:
        await self.endings.dead(run, reason, detail)
        self.metrics.dead_letters.labels(reason).inc()
        _log.warning("run_dead", run=str(run.id), kind=run.kind, name=run.name, reason=reason)
        return "dead"
