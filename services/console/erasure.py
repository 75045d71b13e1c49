"""Erasing one person: what to do in which order, how far one request goes, and what is told of it."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from services.console import changes, persons
from services.console.persons import AgingTopic, ErasedTable
from services.console.store import erasing, erasing_told, erasures, person_export, person_letters
from services.console.store.erasing_told import Erased, Portion
from services.console.store.erasures import Progress
from shared.failpoint import failpoint
from shared.postgres.pool import Connection, Pool, tenant_transaction

_MOST_SECONDS = 10.0
"""After this an answer says how far it has come; asked again it goes on."""

_ROWS_AT_ONCE = 200
_LETTERS_AT_ONCE = 100
_ON_THE_WAY = "outbox"
"""Not waited for: its rows become records within seconds, and go with the topics."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was erased, what is left and why; `complete` when asking again would find nothing more.

    `topics` are those that hold copies, and until when.
    """

    complete: bool
    begun_at: datetime
    completed_at: datetime | None
    tables: list[ErasedTable]
    topics: list[AgingTopic]


@dataclass(slots=True)
class Erasing:
    """One request to erase one person; every step may be repeated, and counts in the transaction of its rows."""

    pool: Pool
    tenant: str
    user: str
    _names: set[str] = field(default_factory=set)
    _until: float = field(default_factory=lambda: time.monotonic() + _MOST_SECONDS)

    async def run(self) -> Report | None:
        """Erase what there is; None when nothing in this tenant is about such a person.

        Raises:
            TransientError: PostgreSQL is away; what was done is kept, and asking again goes on.
        """
        known = await self._known()
        if known is None or known.completed_at is None:
            if known is None and not await self._is_told_of():
                return None
            await self._erase()
        elif await self._is_told_of():
            await self._erase()
        return await self._reported()

    @property
    def _subject(self) -> bytes:
        return changes.subject_of_user(self.user)

    async def _known(self) -> Progress | None:
        async with tenant_transaction(self.pool, self.tenant) as connection:
            self._names = await erasures.names(connection, self.tenant, self._subject, self.user)
            return await erasures.get(connection, self.tenant, self._subject)

    async def _is_told_of(self) -> bool:
        async for _ in person_export.rows(self.pool, self.tenant, self.user, self._names):
            return True
        return False

    async def _erase(self) -> None:
        """First what makes the person reachable, so that nothing new comes; then what there is."""
        await self._step(self._directory)
        failpoint("console.erasure.after_directory")
        await self._repeated(lambda connection: erasing.schedules(connection, *self._who, _ROWS_AT_ONCE), "schedules")
        await self._step(self._waiting)
        for told in (erasing_told.digests, erasing_told.items, erasing_told.strays):
            await self._portions(told)
        await self._step(self._waiting)
        await self._letters()
        async with tenant_transaction(self.pool, self.tenant) as connection:
            left = await erasing.left(connection, *self._who)
            if self._has_time and not any(rows for place, rows in left.items() if place != _ON_THE_WAY):
                await erasures.complete(connection, self.tenant, self._subject)

    @property
    def _who(self) -> tuple[str, str]:
        return self.tenant, self.user

    @property
    def _has_time(self) -> bool:
        return time.monotonic() < self._until

    async def _step(self, erase: Callable[[Connection], Awaitable[dict[str, int]]]) -> None:
        async with tenant_transaction(self.pool, self.tenant) as connection:
            rows = await erase(connection)
            await erasures.count(connection, self.tenant, self._subject, rows)

    async def _directory(self, connection: Connection) -> dict[str, int]:
        await erasures.begin(connection, self.tenant, self._subject, self._names)
        suppressions = await erasing.suppressed_addresses(connection, *self._who, self._names)
        return {"suppressions": suppressions, **await erasing.directory(connection, *self._who)}

    async def _waiting(self, connection: Connection) -> dict[str, int]:
        """What deliveries that ended in between may have made anew comes here again."""
        return {
            "suppressions": await erasing.suppressed_addresses(connection, *self._who, self._names),
            "schedules": await erasing.schedules_asked_for(connection, *self._who),
            "notifications": await erasing.asked_for(connection, *self._who),
            "fanouts": await erasing.fanouts(connection, *self._who),
            **await erasing.waiting(connection, *self._who),
        }

    async def _repeated(self, erase: Callable[[Connection], Awaitable[int]], table: str) -> None:
        changed = _ROWS_AT_ONCE
        while changed == _ROWS_AT_ONCE and self._has_time:
            async with tenant_transaction(self.pool, self.tenant) as connection:
                changed = await erase(connection)
                await erasures.count(connection, self.tenant, self._subject, {table: changed})

    async def _portions(self, erase: Callable[[Connection, Portion], Awaitable[Erased]]) -> None:
        portion: Portion | None = Portion(*self._who, None, _ROWS_AT_ONCE)
        while portion is not None and self._has_time:
            async with tenant_transaction(self.pool, self.tenant) as connection:
                erased = await erase(connection, portion)
                await erasures.count(connection, self.tenant, self._subject, erased.rows)
                failpoint("console.erasure.before_commit")
            failpoint("console.erasure.after_portion")
            portion = None if erased.next is None else Portion(*self._who, erased.next, _ROWS_AT_ONCE)

    async def _letters(self) -> None:
        held: list[person_letters.Letter] = []
        async for letter in person_letters.naming(self.pool, *self._who, self._names):
            held.append(letter)
            if len(held) == _LETTERS_AT_ONCE:
                await self._delete_letters(held)
                held = []
        await self._delete_letters(held)

    async def _delete_letters(self, letters: list[person_letters.Letter]) -> None:
        await self._step(lambda connection: person_letters.delete(connection, self.tenant, letters))

    async def _reported(self) -> Report:
        async with tenant_transaction(self.pool, self.tenant) as connection:
            found = await erasures.get(connection, self.tenant, self._subject)
            left = await erasing.left(connection, *self._who)
            now = await erasing.now(connection)
        if found is None:
            raise LookupError("an erasure that was begun has no row")
        last_written = found.completed_at or now
        return Report(
            found.completed_at is not None, found.begun_at, found.completed_at,
            persons.tables(found.erased, left), persons.aging(last_written),
        )  # fmt: skip
