"""`/v1/schedules`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import StringConstraints, TypeAdapter

from services.console import shapes
from services.console.shapes import conflict
from services.console.store import schedules as store
from services.console.store.schedules import Schedule
from shared import owners
from shared.contract.requests import ONE_LINE
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey

_LARGEST_ID = 2**63 - 1
_LAST: TypeAdapter[tuple[int]] = TypeAdapter(tuple[Annotated[int, Path(ge=0, le=_LARGEST_ID)]])

ScheduleId = Annotated[int, Path(ge=0, le=_LARGEST_ID)]
Owner = Annotated[
    str,
    StringConstraints(min_length=1, max_length=owners.LONGEST),
    ONE_LINE,
    Query(description="The id of the key that asked, or `sendNotification:` and the user."),
]

_SCHEDULE = "schedule; what was accepted a moment ago is still on its way here, so ask again in a second"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many schedules were cancelled."""

    cancelled: int


class Schedules:
    """Answers for schedules."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/schedules", tags=["schedules"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("", self.cancel_owned, methods=["DELETE"])
        router.add_api_route("/{schedule}", self.one, methods=["GET"])
        router.add_api_route("/{schedule}", self.cancel, methods=["DELETE"])
        return router

    async def all(
        self,
        key: AdminKey,
        state: Annotated[Literal["pending", "released", "cancelled"] | None, Query()] = None,
        owner: Owner | None = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = 50,
    ) -> pages.Page[Schedule]:
        """Schedules in the order of their ids."""
        chosen = store.Chosen(state, owner)
        found = await store.after(self._pool, key.tenant, chosen, shapes.last_of(cursor, _LAST), limit + 1)
        return pages.page(found, limit, lambda schedule: [schedule.id])

    async def cancel_owned(self, key: AdminKey, owner: Owner) -> Cancelled:
        """Cancel all of an owner's schedules that wait."""
        return Cancelled(await store.cancel_owned(self._pool, key.tenant, owner))

    async def one(self, key: AdminKey, schedule: ScheduleId) -> Schedule:
        """One schedule."""
        return shapes.found(await store.get(self._pool, key.tenant, schedule), _SCHEDULE)

    async def cancel(self, key: AdminKey, schedule: ScheduleId) -> Schedule:
        """Cancel a schedule that waits; 409 when it was released already. Cancelling twice answers the same."""
        cancelled = await store.cancel(self._pool, key.tenant, schedule)
        if cancelled is not None:
            return cancelled
        found = await self.one(key, schedule)
        if found.state != "cancelled":
            raise conflict("the schedule has been released; its notification is under way")
        return found
