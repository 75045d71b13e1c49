"""The supervisor as people start it: a process that holds Kafka, PostgreSQL, the mailbox and a service."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import state
from tests.support import waiting

pytestmark = pytest.mark.timeout(240)

PROGRAM = """
import asyncio, json, pathlib, sys
from deploy.local import errors, supervisor
chosen = json.loads(sys.argv[2])
options = supervisor.UpOptions(state=pathlib.Path(sys.argv[1]), **{"services": ["retention"]} | chosen)
try:
    asyncio.run(supervisor.run(options))
except errors.LocalStackError as error:
    sys.exit(f"cannot start: {error}")
"""
START_SECONDS = 90.0


@dataclass
class Up:
    process: asyncio.subprocess.Process
    folder: pathlib.Path
    log: pathlib.Path

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "endpoints.json").read_text()))

    async def ready(self, stale: frozenset[int] = frozenset()) -> dict[str, Any]:
        async def published() -> bool:
            assert self.process.returncode is None, self.log.read_text()
            return (self.folder / "endpoints.json").exists() and not stale & set(self.document["pids"].values())

        await waiting.until(published, START_SECONDS, "endpoints.json")
        return self.document

    async def ended(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 60)


@contextlib.asynccontextmanager
async def supervisor(folder: pathlib.Path, log: pathlib.Path, **chosen: Any) -> AsyncIterator[Up]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("TOCSIN_")}
    ours |= {key: os.environ[key] for key in ("TOCSIN_CACHE",) if key in os.environ}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, str(folder), json.dumps(chosen),
            cwd=state.CHECKOUT, env=ours, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield Up(process, folder, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_stack_starts_mends_itself_is_held_and_ends_leaving_nothing(tmp_path: pathlib.Path) -> None:
    folder, log = tmp_path / "state", tmp_path / "log"
    async with supervisor(folder, log) as up:
        document = await up.ready()
        pids = document["pids"]
        assert set(pids) == {"kafka", "postgres", "mailbox", "retention"}
        assert document["ingest"] is None
        async with aiohttp.ClientSession() as session, session.get(document["metrics"]["retention"]) as response:
            assert response.status == 200

        assert document["demo"]["tenant"] == "demo"
        assert len(document["demo"]["users"]) == 20

        async with supervisor(folder, tmp_path / "second.log") as second:
            assert await asyncio.wait_for(second.process.wait(), START_SECONDS) == 1
        said = (tmp_path / "second.log").read_text()
        assert f"is in use by process {up.process.pid}: stop it, or choose another --state" in said

        os.kill(pids["retention"], signal.SIGKILL)

        async def replaced() -> bool:
            return bool(up.document["pids"]["retention"] != pids["retention"])

        await waiting.until(replaced, 30, "a new process of the killed service")
        assert "retention ended with -9; starting it again in 0.5 s" in log.read_text()

        latest = list(up.document["pids"].values())
        assert await up.ended(signal.SIGTERM) == 0
        assert await gone(latest)
        assert not (folder / "endpoints.json").exists()


async def members(bootstrap: str) -> dict[str, list[str]]:
    """The ids of each consumer group's members."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    groups = sorted(name for name, _ in await admin.list_consumer_groups())
    answers = [await admin.describe_consumer_groups([group]) for group in groups]
    await admin.close()
    return {
        group: [member[0] for member in answer.groups[0][5]] for group, [answer] in zip(groups, answers, strict=True)
    }


async def test_a_killed_supervisor_leaves_nothing_that_the_next_start_waits_for(tmp_path: pathlib.Path) -> None:
    folder, log = tmp_path / "state", tmp_path / "log"
    longer_than_a_start = {"TOCSIN_SESSION_TIMEOUT_SECONDS": str(2 * START_SECONDS)}
    chosen: dict[str, Any] = {"services": ["scheduler", "dispatcher"], "settings": longer_than_a_start}
    async with supervisor(folder, log, **chosen) as up:
        document = await up.ready()
        before, demo = list(document["pids"].values()), document["demo"]
        killed = await members(document["kafka"])
        await up.ended(signal.SIGKILL)
    await waiting.until(lambda: gone(before), 30, "the processes of the killed supervisor to end")
    async with supervisor(folder, log, **chosen) as up:
        document = await up.ready(stale=frozenset(before))
        assert document["demo"] == demo
        living = await members(document["kafka"])
        assert living.keys() == killed.keys() > {"tocsin.scheduler"}
        assert {group for group, ids in living.items() if len(ids) != 1 or ids == killed[group]} == set()
        assert await up.ended(signal.SIGINT) == 0
        assert await gone(list(document["pids"].values()))


async def test_two_stacks_run_side_by_side_one_on_what_the_other_lent_it(tmp_path: pathlib.Path) -> None:
    async with supervisor(tmp_path / "first", tmp_path / "first.log") as first:
        lender = await first.ready()
        lent = {"kafka": lender["kafka"], "postgres": lender["postgres"]}
        async with supervisor(tmp_path / "second", tmp_path / "second.log", **lent) as second:
            borrower = await second.ready()
            assert set(borrower["pids"]) == {"mailbox", "retention"}
            assert {name: borrower[name] for name in lent} == lent
            assert borrower["demo"]["tenant"] is None, "a database that was brought along is left alone"
            assert not set(borrower["pids"].values()) & set(lender["pids"].values())
            assert await second.ended(signal.SIGTERM) == 0
        assert first.document == lender, "the first is as it was"
        assert not await gone([lender["pids"]["kafka"]])
        assert await first.ended(signal.SIGTERM) == 0
