"""Deciding keyed requests: one statement every few milliseconds for all that are under way."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

from services.ingest.store import Claim, Entry, Store
from services.ingest.unforeseen import Unforeseen
from shared.contract.outcomes import Reason
from shared.errors import TransientError

_AWAY_SECONDS = 1.0
"""After a statement that did not answer nobody else waits for one this long."""


class Standing(Enum):
    """What a claim is to the row under its id."""

    FIRST = auto()
    REPEAT = auto()
    CONFLICT = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Decided:
    """A claim's standing, and the entry under its id; UNKNOWN has none."""

    standing: Standing
    entry: Entry | None


def judged(claim: Claim, entered: Mapping[UUID, tuple[Claim, Entry]], known: Mapping[UUID, Entry]) -> Decided:
    """What a claim is, given what was entered now (and by which claim) and what had been known."""
    winner, entry = entered.get(claim.id, (None, known.get(claim.id)))
    if entry is None:
        return Decided(Standing.UNKNOWN, None)
    if winner is claim:
        return Decided(Standing.FIRST, entry)
    same = entry.payload_hash == claim.payload_hash
    return Decided(Standing.REPEAT if same else Standing.CONFLICT, entry)


@dataclass(slots=True)
class _Group:
    claims: Sequence[Claim]
    answer: "asyncio.Future[list[Decided]]"


class Identities:
    """The micro-batcher; used between `running` and its end."""

    def __init__(self, store: Store, linger_seconds: float, timeout_seconds: float) -> None:
        """Args: `linger_seconds` is how long a claim waits for company, `timeout_seconds` how long for an answer."""
        self._store = store
        self._linger_seconds = linger_seconds
        self._timeout_seconds = timeout_seconds
        self._waiting: list[_Group] = []
        self._asked = asyncio.Event()
        self._away_until = 0.0
        self._unforeseen = Unforeseen("identities_not_decided", "requests with a key or for later are answered 503")

    async def decide(self, claims: Sequence[Claim]) -> list[Decided]:
        """The standing of each claim, in order. Of claims under one id in one statement the first is entered.

        Raises:
            TransientError: PostgreSQL does not answer within the timeout, or (reason `internal`) with an error that
                nobody foresaw. Claims may have been entered all the same.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            raise _away()
        group = _Group(claims, loop.create_future())
        self._waiting.append(group)
        self._asked.set()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await group.answer
        except TimeoutError as error:
            self._away_until = loop.time() + _AWAY_SECONDS
            raise _away() from error

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Decide while the context is open; it outlives the doors, whose last requests still need answers."""
        async with asyncio.TaskGroup() as group:
            deciding = group.create_task(self._decide_batches(), name="identities")
            try:
                yield
            finally:
                deciding.cancel()

    async def _decide_batches(self) -> None:
        while True:
            await self._asked.wait()
            await asyncio.sleep(self._linger_seconds)
            self._asked.clear()
            groups, self._waiting = [group for group in self._waiting if not group.answer.done()], []
            await self._answer(groups)

    async def _answer(self, groups: Sequence[_Group]) -> None:
        try:
            decided = await self._decided([claim for group in groups for claim in group.claims])
        except TransientError as error:
            self._away_until = asyncio.get_running_loop().time() + _AWAY_SECONDS
            _fail(groups, error)
            return
        except Exception as error:  # noqa: BLE001 - one statement must not end the service for all
            detail = "something unforeseen kept this from being told from a repeat, and was logged"
            _fail(groups, self._unforeseen.transient(error, detail))
            return
        self._unforeseen.over()
        remaining = iter(decided)
        for group in groups:
            mine = list(itertools.islice(remaining, len(group.claims)))
            if not group.answer.done():
                group.answer.set_result(mine)

    async def _decided(self, claims: Sequence[Claim]) -> list[Decided]:
        candidates: dict[UUID, Claim] = {}
        for claim in claims:
            if not claim.only_known:
                candidates.setdefault(claim.id, claim)
        entries = await self._store.enter(sorted(candidates.values(), key=lambda claim: claim.id)) if candidates else []
        entered = {entry.id: (candidates[entry.id], entry) for entry in entries}
        others = {claim.id: claim for claim in claims if claim.id not in entered}
        known = {entry.id: entry for entry in await self._store.known(list(others.values()))} if others else {}
        return [judged(claim, entered, known) for claim in claims]


def _fail(groups: Sequence[_Group], error: TransientError) -> None:
    for group in groups:
        if not group.answer.done():
            group.answer.set_exception(error)


def _away() -> TransientError:
    return TransientError("PostgreSQL did not decide in time", Reason.POSTGRES_UNAVAILABLE)
