"""`/v1/dead-letters`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field, Strict, StrictBool, TypeAdapter, model_validator

from services.console import shapes
from services.console.metrics import Metrics
from services.console.shapes import ShortLine
from services.console.store import dead_letters as store
from services.console.store.dead_letters import Chosen, DeadLetter, Waiting
from shared.contract.outcomes import Reason
from shared.contract.requests import Moment, RequestModel, example
from shared.postgres.pool import Pool, tenant_transaction
from shared.runtime import pages
from shared.runtime.authority import RedriveKey

_LETTERS_AT_ONCE = 500
_MOST_LETTERS = 10_000
_MOST_REFUSED = 1_000
_LAST: TypeAdapter[tuple[AwareDatetime, UUID]] = TypeAdapter(tuple[AwareDatetime, UUID])


class Redrive(RequestModel):
    """Which dead letters to re-drive, and how fast; exactly one of `ids`, `reason` and `since`."""

    model_config = example({"reason": "destination_unavailable", "rate_per_second": 5, "dry_run": True})

    ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=1_000)] | None = None
    reason: ShortLine | None = None
    since: Moment | None = None
    rate_per_second: Annotated[float, Strict(), Field(gt=0, le=1_000)] = 10.0
    dry_run: StrictBool = False

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum(choice is not None for choice in (self.ids, self.reason, self.since)) != 1:
            raise ValueError("name what to re-drive by exactly one of ids, reason and since")
        return self


@dataclass(frozen=True, slots=True)
class Refused:
    """A letter that cannot be re-driven, and why; it stays as it is."""

    id: UUID
    reason: Reason = Reason.ORIGINAL_GONE
    detail: str = "its original was kept apart for its size and has been removed; ask the writer to send it again"


@dataclass(frozen=True, slots=True)
class Redriven:
    """`matched` letters were meant and not re-driven before; `redriven` of them now are, spread over `seconds`.

    `refused` names those that cannot be, the first thousand.
    """

    matched: int
    redriven: int
    seconds: float
    dry_run: bool
    refused: Sequence[Refused]


class DeadLetters:
    """Answers for dead letters."""

    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        self._pool = pool
        self._metrics = metrics

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/redrive", self.redrive, methods=["POST"], status_code=HTTPStatus.OK)
        router.add_api_route("/{letter}", self.one, methods=["GET"])
        return router

    async def all(
        self,
        key: RedriveKey,
        reason: Annotated[ShortLine | None, Query(description="Only those of this reason.")] = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[DeadLetter]:
        """Dead letters, oldest first; an original over 16 kB is null here and whole in the letter itself."""
        found = await store.after(self._pool, key.tenant, reason, pages.decoded(cursor, _LAST), limit + 1)
        return pages.page(found, limit, _place)

    async def one(self, key: RedriveKey, letter: UUID) -> DeadLetter:
        """One dead letter with its original."""
        return shapes.found(await store.get(self._pool, key.tenant, letter), "dead letter")

    async def redrive(self, key: RedriveKey, wanted: Redrive) -> Redriven:
        """Try again what was given up, at most `rate_per_second`, ids unchanged; up to 10,000 letters a call.

        A delivery gets one more attempt (and the usual retries while it has some left); a record goes to its topic
        again. What was re-driven before is passed over; what cannot be is named in `refused` and stays as it is.
        """
        chosen = Chosen(wanted.ids, wanted.reason, wanted.since)
        matched = await store.count(self._pool, key.tenant, chosen)
        refused = [Refused(letter) for letter in await store.gone(self._pool, key.tenant, chosen, _MOST_REFUSED)]
        redriven = 0
        while not wanted.dry_run and redriven < _MOST_LETTERS:
            taken = await self._batch(key.tenant, chosen, redriven, wanted.rate_per_second)
            redriven += taken
            if taken < _LETTERS_AT_ONCE:
                break
        spread = min(matched - len(refused), _MOST_LETTERS) if wanted.dry_run else redriven
        return Redriven(matched, redriven, spread / wanted.rate_per_second, wanted.dry_run, refused)

    async def _batch(self, tenant: str, chosen: Chosen, done: int, rate_per_second: float) -> int:
        async with tenant_transaction(self._pool, tenant) as connection:
            letters = await store.lock(connection, tenant, chosen, _LETTERS_AT_ONCE)
            paced = _paced(letters, done, rate_per_second)
            await store.reopen(connection, tenant, [each for each in paced if each[0].delivery_id is not None])
            await store.produce(connection, [each for each in paced if each[0].delivery_id is None])
            await store.mark(connection, tenant, letters)
        self._metrics.redriven.inc(len(letters))
        return len(letters)


def _paced(letters: Sequence[Waiting], done: int, rate_per_second: float) -> list[tuple[Waiting, float]]:
    """Each letter with the seconds it waits, behind the `done` ones before."""
    return [(letter, (done + number) / rate_per_second) for number, letter in enumerate(letters)]


def _place(letter: DeadLetter) -> tuple[datetime, UUID]:
    return letter.at, letter.id
