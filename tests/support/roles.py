"""Roles of the dispatcher as processes of their own: killed at a failpoint, or run until they are told to stop."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from deploy.local import kafka
from tests.support import unsubscribing
from tests.support.intake import Bench

ROOT = Path(__file__).parents[2]
DIE_SECONDS = 90
STOP_SECONDS = 30


async def killed(bench: Bench, role: str, failpoint: str) -> None:
    """Run a role until it kills itself at a failpoint; its groups wait for it no longer."""
    environment = _environment(bench, {"TOCSIN_FAILPOINTS": f"{failpoint}=kill"})
    died = await asyncio.to_thread(
        subprocess.run, _command(role), env=environment, cwd=ROOT, check=False, timeout=DIE_SECONDS
    )
    assert died.returncode == -9
    await kafka.forget_members(bench.kafka.kafka_bootstrap, bench.kafka.group(""))


@contextlib.asynccontextmanager
async def running(bench: Bench, role: str) -> AsyncIterator[None]:
    """Run a role, under the name that `killed` ran under too; its end must be clean."""
    process = await asyncio.to_thread(subprocess.Popen, _command(role), env=_environment(bench, {}), cwd=ROOT)
    try:
        yield
        process.terminate()
        assert await asyncio.to_thread(process.wait, STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def _command(role: str) -> list[str]:
    return [sys.executable, "-m", "services.dispatcher", "--only", role]


def _environment(bench: Bench, more: dict[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TOCSIN_KAFKA_BOOTSTRAP": bench.kafka.kafka_bootstrap,
        "TOCSIN_TOPIC_PREFIX": bench.kafka.topic_prefix,
        "TOCSIN_SESSION_TIMEOUT_SECONDS": "6",
        "TOCSIN_HEARTBEAT_SECONDS": "1",
        "TOCSIN_POSTGRES_DSN": bench.database.dsn("dispatcher"),
        "TOCSIN_FANOUT_MOST_WAITING": "100000",
        "TOCSIN_INSTANCE": "slot-0",
        **unsubscribing.ENVIRONMENT,
        **more,
    }
