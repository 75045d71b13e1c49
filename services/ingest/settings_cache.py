"""What the hot path must not ask for: keys, tenants and properties; PostgreSQL is asked every second for changes."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.ingest.store import Store
from services.ingest.unforeseen import Unforeseen
from shared import access
from shared.clock import Clock
from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.runtime.secret_file import SecretFile

_log = structlog.get_logger()

_OVERLAP = timedelta(seconds=30)
"""A change is stamped before it is committed, so each question goes back this far behind the newest one seen."""

_ANSWER_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 0.05
"""Strangers with made-up keys may hurry the next question, but not beyond this."""

_REFUTED_SECONDS = 1.0
"""How long it is not asked again whether there is a tenant by a name."""


class SettingsCache:
    """What the doors know of keys and tenants; `follow` keeps it current."""

    def __init__(self, store: Store, secret: SecretFile, clock: Clock) -> None:
        self._store = store
        self._secret = secret
        self._secret_now = secret.current()
        self._clock = clock
        self._keys: dict[str, access.StoredKey] = {}
        self._tenants: frozenset[str] = frozenset()
        self._properties: dict[str, dict[str, Any]] = {}
        self._newest: datetime | None = None
        self._newest_property: datetime | None = None
        self._whole_at_seconds: float | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._hurry = asyncio.Event()
        self._said = ""
        self._unforeseen = Unforeseen("settings_not_read", "keys, tenants and properties stay as they were read last")
        self._refuted: dict[str, float] = {}

    async def loaded(self) -> str | None:
        """A readiness check: whether keys and tenants were read at all."""
        return "keys and tenants were not read yet" if self._whole_at_seconds is None else None

    async def key_opened_by(self, presented: str) -> access.StoredKey | None:
        """The key that a presented credential opens, or None; PostgreSQL is asked before saying no.

        Raises:
            TransientError: the cache knows no such key and PostgreSQL cannot be asked.
        """
        key_id = access.key_id(presented)
        if key_id is None:
            return None
        if found := self._opened(key_id, presented):
            return found
        await self._refreshed()
        return self._opened(key_id, presented)

    async def unknown_tenants(self, named: Collection[str]) -> frozenset[str]:
        """Those of the names that no tenant has; asks at most once, and about the same name once a second.

        Raises:
            TransientError: one of them is new here and PostgreSQL cannot be asked.
        """
        now = self._clock.monotonic()
        self._refuted = {name: at for name, at in self._refuted.items() if now - at < _REFUTED_SECONDS}
        if not self._tenants.union(self._refuted).issuperset(named):
            await self._refreshed()
            strange = self._tenants.union(self._refuted)
            self._refuted.update(dict.fromkeys((name for name in named if name not in strange), now))
        return frozenset(named) - self._tenants

    def properties(self, tenant: str) -> Mapping[str, Any]:
        """The properties of a tenant by name, as they were a second ago at most while PostgreSQL answers."""
        return self._properties.get(tenant, {})

    async def follow(self, stop: asyncio.Event, poll_seconds: float, reload_seconds: float) -> None:
        """Loop: ask for what changed every `poll_seconds`, or at once when somebody waits; for all now and then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hurry_at(stop), name="settings-stop")
            while not stop.is_set():
                self._hurry.clear()
                waiting, self._waiting = self._waiting, []
                await self._answer(waiting, reload_seconds)
                await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), poll_seconds)

    async def _hurry_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._hurry.set()

    async def _answer(self, waiting: list[asyncio.Future[None]], reload_seconds: float) -> None:
        try:
            await self._read(reload_seconds)
        except TransientError as error:
            self._say(str(error))
            _fail(waiting, error)
            return
        except Exception as error:  # noqa: BLE001 - who is known already must not wait for what is mended
            detail = "something unforeseen kept keys and tenants from being read, and was logged"
            _fail(waiting, self._unforeseen.transient(error, detail))
            return
        self._say("")
        self._unforeseen.over()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _read(self, reload_seconds: float) -> None:
        self._secret_now = self._secret.current()
        now = self._clock.monotonic()
        whole = self._whole_at_seconds is None or now - self._whole_at_seconds > reload_seconds
        after = None if whole or self._newest is None else self._newest - _OVERLAP
        found = await self._store.keys(after)
        self._tenants = await self._store.tenants()
        changed = {key.id: key for key, _ in found}
        self._keys = changed if whole else {**self._keys, **changed}
        self._newest = max((at for _, at in found), default=self._newest)
        await self._read_properties(whole=whole)
        if whole:
            self._whole_at_seconds = now

    async def _read_properties(self, *, whole: bool) -> None:
        after = None if whole or self._newest_property is None else self._newest_property - _OVERLAP
        found = await self._store.properties(after)
        known: dict[str, dict[str, Any]] = {} if whole else self._properties
        for tenant, name, value, at in found:
            known.setdefault(tenant, {})[name] = value
            self._newest_property = max(at, self._newest_property or at)
        self._properties = known

    async def _refreshed(self) -> None:
        """Wait for an answer to a question that is asked after this call."""
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(asked)
        self._hurry.set()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await asked
        except TimeoutError as error:
            raise TransientError("PostgreSQL did not answer in time", Reason.POSTGRES_UNAVAILABLE) from error

    def _opened(self, key_id: str, presented: str) -> access.StoredKey | None:
        key = self._keys.get(key_id)
        digest = access.key_hmac(presented, self._secret_now)
        return key if key is not None and key.opened_by(digest, self._clock.now()) else None

    def _say(self, error: str) -> None:
        if error != self._said:
            self._said = error
            _log.warning("settings_not_read", error=error) if error else _log.info("settings_read_again")


def _fail(waiting: Sequence[asyncio.Future[None]], error: TransientError) -> None:
    for future in waiting:
        if not future.done():
            future.set_exception(error)
