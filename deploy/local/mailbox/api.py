"""The HTTP interface for programs: `/api/mails`, `/api/hooks`, and the catcher at `/hooks/{name}`."""

import asyncio
import datetime as dt
import itertools

import orjson
from aiohttp import web

from deploy.local.mailbox.hooks import Hook
from deploy.local.mailbox.mails import Mail
from deploy.local.mailbox.shelf import Shelf

COUNT = "count"  # `GET /api/hooks/count` counts, so nothing is caught under this name
LONGEST_NAME = 200


class Api:
    """Reads and clears both shelves, and fills the one of the hooks."""

    def __init__(self, mails: Shelf[Mail], hooks: Shelf[Hook]) -> None:
        self._mails = mails
        self._hooks = hooks
        self._numbers = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        """Every address with what serves it."""
        return [
            web.get("/api/mails", self.list_mails),
            web.get("/api/mails/count", self.count_mails),
            web.delete("/api/mails", self.clear_mails),
            web.post("/hooks/{name}", self.catch),
            web.get("/api/hooks", self.list_names),
            web.get("/api/hooks/count", self.count_hooks),
            web.get("/api/hooks/{name}", self.list_hooks),
            web.delete("/api/hooks", self.clear_hooks),
        ]

    async def list_mails(self, request: web.Request) -> web.Response:
        """Oldest first; `?to=` those to one address, `?after=` those behind an id."""
        address = request.query.get("to")
        after = _after(request)
        found = [mail for mail in self._mails if mail.number > after and (address is None or mail.is_to(address))]
        # In a thread: parsing thousands of mails must not keep the next ones waiting at the door.
        return await asyncio.to_thread(lambda: _json([mail.document() for mail in found]))

    async def count_mails(self, _request: web.Request) -> web.Response:
        """Numbers without reading a mail."""
        return _json(self._mails.counts())

    async def clear_mails(self, _request: web.Request) -> web.Response:
        """Forget every mail."""
        self._mails.clear()
        return web.Response(status=204)

    async def catch(self, request: web.Request) -> web.Response:
        """Store a webhook and answer 200."""
        name = request.match_info["name"]
        if not self.caught(name, tuple(request.raw_headers), await request.read()):
            reason = f"the name {name[:LONGEST_NAME]!r} is reserved or longer than {LONGEST_NAME}: choose another"
            return _json({"error": reason}, status=422)
        return web.Response(body=b"caught")

    def caught(self, name: str, raw_headers: tuple[tuple[bytes, bytes], ...], raw: bytes) -> bool:
        """Store a webhook; False where nothing is caught under that name."""
        if name == COUNT or len(name) > LONGEST_NAME:
            return False
        self._hooks.add(Hook(next(self._numbers), name, raw_headers, raw, dt.datetime.now(dt.UTC)))
        return True

    async def list_names(self, _request: web.Request) -> web.Response:
        """The names something was caught under, with how much."""
        return _json([{"name": name, "count": count} for name, count in names(self._hooks).items()])

    async def list_hooks(self, request: web.Request) -> web.Response:
        """Those of one name, oldest first."""
        name = request.match_info["name"]
        found = [hook for hook in self._hooks if hook.name == name]
        return await asyncio.to_thread(lambda: _json([hook.document() for hook in found]))

    async def count_hooks(self, request: web.Request) -> web.Response:
        """Numbers without reading a hook; `?name=` adds `name_count`, those held of one name."""
        counts = self._hooks.counts()
        if name := request.query.get("name"):
            counts["name_count"] = sum(1 for hook in self._hooks if hook.name == name)
        return _json(counts)

    async def clear_hooks(self, _request: web.Request) -> web.Response:
        """Forget every hook."""
        self._hooks.clear()
        return web.Response(status=204)


def names(hooks: Shelf[Hook]) -> dict[str, int]:
    """Name → how many are held, by name."""
    counted: dict[str, int] = {}
    for hook in hooks:
        counted[hook.name] = counted.get(hook.name, 0) + 1
    return dict(sorted(counted.items()))


def _after(request: web.Request) -> int:
    text = request.query.get("after", "0")
    if not text.isdecimal():
        raise web.HTTPUnprocessableEntity(text=f"after={text!r} is not an id: give one from an earlier answer")
    return int(text)


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json", status=status)
