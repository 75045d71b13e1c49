"""Credentials that a door refuses (401, 403) are counted, so that guessing keys is seen; none is kept anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of a service: which one a path is, where it is not the `main` one."""

    main: str
    paths: Mapping[str, str] = field(default_factory=dict)


class Counted:
    """ASGI middleware that counts the credentials which an application refuses, by door and status."""

    def __init__(self, app: ASGIApp, doors: Doors, registry: CollectorRegistry) -> None:
        self._app = app
        self._doors = doors
        self._refused = Counter(
            "tocsin_credentials_refused_total", "Requests whose credential opened nothing or too little.",
            ["door", "status"], registry=registry,
        )  # fmt: skip
        for door in (doors.main, *doors.paths.values()):
            for status in _REFUSALS:
                self._refused.labels(door, status.value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and look at the status of its answer."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _REFUSALS:
                door = self._doors.paths.get(scope["path"], self._doors.main)
                self._refused.labels(door, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, counted)
