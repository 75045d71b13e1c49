"""Everything about one person: told, and taken away."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from pydantic import AwareDatetime

from shared.client.answers import Answer
from shared.client.calls import Calls
from shared.client.errors import UnavailableError
from shared.client.transport import Call

_AGAIN_SECONDS = 2.0


class PersonRow(Answer):
    """A row that is about a person, with the name of its table; what hangs on it is part of it."""

    table: str
    row: dict[str, Any]


class ErasedTable(Answer):
    """Of one table: the rows erased, those that remain for now, and what becomes of a person's rows in it."""

    table: str
    erased: int
    remaining: int
    treatment: str


class AgingTopic(Answer):
    """A topic that may hold copies until then."""

    topic: str
    until: AwareDatetime


class Erasure(Answer):
    """What was erased of a person; `complete` when nothing is left that can be."""

    complete: bool
    begun_at: AwareDatetime
    completed_at: AwareDatetime | None = None
    tables: tuple[ErasedTable, ...] = ()
    topics: tuple[AgingTopic, ...] = ()


class PersonCalls(Calls):
    """The console's calls about persons; they need an admin key."""

    async def export_user(self, user_id: str) -> AsyncIterator[PersonRow]:
        """Everything Tocsin holds about a person, a row at a time; the directory need not know the person any more.

        Raises:
            RefusedError: nothing is known about such a person.
            UnavailableError: it was cut off; what came is not everything.
        """
        is_whole = False
        async for line in self._transport.lines(Call("GET", f"{_path(user_id)}/export", repeatable=True)):
            told: dict[str, Any] = json.loads(line)
            if "complete" in told:
                is_whole = True
            else:
                yield PersonRow.model_validate(told)
        if not is_whole:
            raise UnavailableError(f"the export of {user_id} was cut off; ask again for all of it")

    async def erase_user(self, user_id: str, within_seconds: float = 120.0) -> Erasure:
        """Erase everything about a person: asks until nothing is left, or for so long; the last report.

        Where it is not `complete` something is still being sent; ask again later.
        """
        until = time.monotonic() + within_seconds
        while True:
            answer = await self._transport.answer(Call("POST", f"{_path(user_id)}/erasure", repeatable=True))
            report = Erasure.model_validate(answer)
            if report.complete or time.monotonic() + _AGAIN_SECONDS > until:
                return report
            await asyncio.sleep(_AGAIN_SECONDS)


def _path(user_id: str) -> str:
    return f"/v1/users/{quote(user_id, safe='')}"
