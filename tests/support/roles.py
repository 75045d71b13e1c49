"""Roles of the dispatcher as processes of their own: killed at a failpoint, or run until they are told to stop."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from deploy.local import kafka
from tests.support import unsubscribing, warm
from tests.support.intake import Bench

ROOT = Path(__file__).parents[2]
DIE_SECONDS = 90
STOP_SECONDS = 30


async def killed(bench: Bench, role: str, failpoint: str) -> None:
    """Run a role until it kills itself at a failpoint; its groups wait for it no longer."""
    process = await _started(bench, role, {"TOCSIN_FAILPOINTS": f"{failpoint}=kill"})
    assert await asyncio.to_thread(process.wait, DIE_SECONDS) == -9
    await kafka.forget_members(bench.kafka.kafka_bootstrap, bench.kafka.group(""))


@contextlib.asynccontextmanager
async def running(bench: Bench, role: str) -> AsyncIterator[None]:
    """Run a role, under the name that `killed` ran under too; its end must be clean."""
    process = await _started(bench, role, {})
    try:
        yield
        process.terminate()
        assert await asyncio.to_thread(process.wait, STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


async def _started(bench: Bench, role: str, more: dict[str, str]) -> warm.Process:
    command = warm.Command("dispatcher", ["--only", role], _environment(bench, more), ROOT)
    return await asyncio.to_thread(warm.started, command)


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
