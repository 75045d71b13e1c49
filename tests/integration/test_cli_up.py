"""`tocsin up` as a program starts it: one document on stdout, an end without leftovers."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from tests.support import databases

WITHIN_SECONDS = 60.0


@contextlib.asynccontextmanager
async def up(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "up", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def document(process: asyncio.subprocess.Process) -> dict[str, object]:
    assert process.stdout is not None
    text = b""
    async with asyncio.timeout(WITHIN_SECONDS):
        while not text.endswith(b"\n}\n"):
            line = await process.stdout.readline()
            assert line, f"it ended before it was ready: {text!r}"
            text += line
    found: dict[str, object] = json.loads(text)
    return found


async def test_a_program_reads_where_everything_is_and_ends_it_cleanly(
    tmp_path: Path, database: databases.Database, kafka_bootstrap: str
) -> None:
    own = ["--state", str(tmp_path), "--services", "console", "--kafka", kafka_bootstrap, "--postgres", database.owner]
    async with up(*own, "--json") as process:
        found = await document(process)
        assert found == json.loads((tmp_path / "endpoints.json").read_text())
        assert str(found["console"]).startswith("http://127.0.0.1:")
        pids = found["pids"]
        assert isinstance(pids, dict)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), WITHIN_SECONDS) == 0
        assert not (tmp_path / "endpoints.json").exists()
        assert not [pid for pid in pids.values() if psutil.pid_exists(pid)]


async def test_a_service_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    async with up("--state", str(tmp_path), "--services", "ingets") as process:
        _, err = await asyncio.wait_for(process.communicate(), WITHIN_SECONDS)
        assert process.returncode == 1
        assert b"no such service: ingets" in err
        assert b"ingest" in err
        assert b"Traceback" not in err
