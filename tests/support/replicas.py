"""Services beside or instead of those the supervisor runs: killed, doubled, ended."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import psutil

from deploy.local import ports
from deploy.local.trial import Trial
from tests.support import waiting

SERVICES = ("ingest", "dispatcher", "digest", "scheduler", "retention", "inbox", "console")


async def kill(system: Trial, *services: str) -> None:
    """kill -9 services at once and wait until the supervisor has put new ones in their place."""
    before = {service: system.endpoints["pids"][service] for service in services}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    async def replaced() -> bool:
        now = system.endpoints["pids"]
        return all(now.get(service, pid) != pid for service, pid in before.items())

    await waiting.until(replaced, 60, f"the supervisor to restart {', '.join(services)}")
    for service in services:
        await ready(system, service)


async def ready(system: Trial, service: str) -> None:
    """Wait until a service says that it can do its job."""
    await _says_ready(system, str(system.endpoints["metrics"][service]).removesuffix("/metrics"), service)


@contextlib.asynccontextmanager
async def doubled(system: Trial, service: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A second replica, ready, with the first one's environment and ports of its own; killed at the end if there."""
    port = ports.free_port()
    environment = psutil.Process(system.endpoints["pids"][service]).environ()
    environment |= {"TOCSIN_OPS_PORT": str(port), "TOCSIN_HTTP_PORT": "0", "TOCSIN_INSTANCE": f"{service}-replica"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", env=environment, stdout=sys.stderr, stderr=sys.stderr
    )
    try:
        await _says_ready(system, f"http://127.0.0.1:{port}", f"the second {service}")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _says_ready(system: Trial, address: str, what: str) -> None:
    async def says_so() -> bool:
        try:
            async with system.http.get(f"{address}/readyz") as response:
                return response.status == 200
        except OSError:
            return False

    await waiting.until(says_so, 60, f"{what} to be ready")


async def ended(process: asyncio.subprocess.Process, within_seconds: float) -> tuple[int, float]:
    """SIGTERM a process; its exit code and the seconds it took. Raises TimeoutError beyond `within_seconds`."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = await asyncio.wait_for(process.wait(), within_seconds)
    return code, time.monotonic() - begun
