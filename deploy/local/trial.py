"""A whole system of one's own for a trial: started as `tocsin up` starts it, in a temporary state folder.

Tests and benchmarks see what any user sees: endpoints.json, HTTP, Kafka, the mailbox.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from shared import access
from shared.postgres import tenants

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05
TENANT = "trial"


@dataclass(frozen=True, slots=True)
class Trial:
    """What the outside sees of a running system, and an admin key of its tenant.

    `http` sends the key with every request; `process` is the supervisor's.
    """

    state: Path
    key: str
    http: aiohttp.ClientSession
    process: asyncio.subprocess.Process

    @property
    def endpoints(self) -> dict[str, Any]:
        """endpoints.json as it stands now: pids change when the supervisor restarts a service."""
        found: dict[str, Any] = json.loads((self.state / "endpoints.json").read_text())
        return found

    async def console(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request to the console; raises aiohttp.ClientResponseError unless it succeeds."""
        async with self.http.request(method, self.endpoints["console"] + path, json=body) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer

    async def received(self, what: str) -> int:
        """How many `mails` or `hooks` have arrived at the mailbox."""
        async with self.http.get(f"{self.endpoints['mailbox']}/api/{what}/count") as response:
            return int((await response.json())["count"])

    async def metrics(self, service: str) -> str:
        """A service's metrics as Prometheus would scrape them."""
        url = str(self.endpoints["metrics"][service])
        async with self.http.get(url if url.endswith("/metrics") else url + "/metrics") as response:
            return await response.text()

    async def populate(self, users: int, kind: str = "user") -> list[str]:
        """Users `user-0`… with an address and a webhook each, and a class `alarms` whose mail is immediate."""
        names = [f"{kind}-{number}" for number in range(users)]
        catcher = self.endpoints["mailbox"] + "/hooks/"
        for name in names:
            await self.console("PUT", f"/v1/users/{name}", {"id": name, "email": f"{name}@example.test"})
            webhook = {"recipient": name, "channel": "push", "kind": "webhook", "address": catcher + name}
            await self.console("POST", "/v1/endpoints", webhook)
        await self.console("PUT", "/v1/classes/alarms", {"name": "Alarms", "options": {"email": "immediate"}})
        return names


@contextlib.asynccontextmanager
async def started(arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> AsyncIterator[Trial]:
    """A system of its own, stopped and removed afterwards.

    Args:
        arguments: further ones for `tocsin up`.
        environment: settings (`TOCSIN_…`) handed to every service.

    Raises:
        RuntimeError: it ended before it was ready; its output says why.
        TimeoutError: it was not ready in time.
    """
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="tocsin-trial-")
    state = Path(folder) / "state"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "up", "--state", str(state), *arguments,
        env={**os.environ, **(environment or {})}, stdout=sys.stderr, stderr=sys.stderr,
    )  # fmt: skip
    try:
        endpoints = await _ready(state, process)
        key = await _bootstrapped(endpoints["postgres"], state)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {key}"}) as http:
            yield Trial(state, key, http, process)
    finally:
        await _stopped(process)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _ready(state: Path, process: asyncio.subprocess.Process) -> dict[str, Any]:
    document = state / "endpoints.json"
    async with asyncio.timeout(_START_SECONDS):
        while not await asyncio.to_thread(document.exists):
            if process.returncode is not None:
                raise RuntimeError(f"the system ended with {process.returncode} before it was ready; see its output")
            await asyncio.sleep(_POLL_SECONDS)
    found: dict[str, Any] = json.loads(document.read_text())
    return found


async def _bootstrapped(dsn: str, state: Path) -> str:
    secret = (state / "secrets" / "api-keys").read_bytes().strip()
    connection = await asyncpg.connect(dsn)
    try:
        await tenants.create_tenant(connection, TENANT, "Trial")
        return await tenants.create_key(connection, TENANT, "trial", [access.Scope.ADMIN], secret)
    finally:
        await connection.close()


async def _stopped(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
