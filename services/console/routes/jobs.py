"""`/v1/jobs`: what a schedule may name."""

from dataclasses import dataclass

from fastapi import APIRouter

from shared import plugins
from shared.runtime import pages
from shared.runtime.authority import AdminKey


@dataclass(frozen=True, slots=True)
class Job:
    """A job that an installed package offers."""

    name: str


class Jobs:
    """Answers for jobs; they are installed, not made over the API."""

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/jobs", tags=["schedules"])
        router.add_api_route("", self.all, methods=["GET"])
        return router

    async def all(self, _key: AdminKey) -> pages.Page[Job]:
        """The jobs of this installation in the order of their names."""
        return pages.Page(items=[Job(name) for name in sorted(plugins.names(plugins.Kind.JOB))], next=None)
