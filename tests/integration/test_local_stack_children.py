"""Child processes: restarted when they die or hang, ended when nobody watches them any more."""

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import aiohttp
import psutil

from deploy.local import child, ledger, ports, watch
from deploy.local.part import Part, Program, Running
from deploy.local.screen import Condition
from tests.support import waiting

# Answers 200 to everything, until told to hang: then it accepts and never answers.
TINY = """
import http.server, sys, time
class Page(http.server.BaseHTTPRequestHandler):
    hanging = False
    log_message = lambda *words: None
    def do_GET(self):
        if self.path == "/hang":
            Page.hanging = True
        elif Page.hanging:
            time.sleep(3600)
        self.send_response(200)
        self.end_headers()
print("up", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


class Told:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.lines: list[str] = []

    def tell(self, message: str) -> None:
        self.messages.append(message)

    def show(self, name: str, condition: Condition, detail: str = "") -> None:
        del name, condition, detail

    def output(self, name: str, line: str) -> None:
        self.lines.append(f"{name}: {line}")

    def close(self) -> None:
        pass


def tiny(session: aiohttp.ClientSession, told: Told) -> tuple[Running, str]:
    port = ports.free_port()
    url = f"http://{ports.LOOPBACK}:{port}"
    program = Program(
        name="tiny", arguments=["-c", TINY, str(port)], environment=dict(os.environ), address=url, probes=url
    )
    return Running(program, session, told.output), url


async def _restarted(part: Running, told: Told, hurt: Callable[[], Awaitable[None]]) -> str:
    """Launch, watch, hurt it, wait for the restart; what was told first."""
    pids: list[int] = []

    def launched(again: Part) -> None:
        pids.append(again.pid or 0)

    async def again() -> bool:
        return bool(pids) and await part.ready()

    await part.launch()
    await waiting.until(part.ready, 20, "the child to answer")
    first = part.pid
    watching = asyncio.create_task(watch.Watch(part, told, launched).run())
    try:
        await hurt()
        await waiting.until(again, 60, "the child to run again")
    finally:
        watching.cancel()
        await part.stop(5)
    assert pids[0] != first
    return told.messages[0]


async def test_a_child_that_died_is_started_again_and_it_is_said() -> None:
    told = Told()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session:
        part, _url = tiny(session, told)

        async def kill() -> None:
            os.kill(part.pid or 0, signal.SIGKILL)

        assert await _restarted(part, told, kill) == "tiny ended with -9; starting it again in 0.5 s"
    assert told.lines == ["tiny: up", "tiny: up"]


async def test_a_child_that_no_longer_answers_is_started_again() -> None:
    told = Told()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as session:
        part, url = tiny(session, told)

        async def hang() -> None:
            async with session.get(f"{url}/hang") as response:
                assert response.status == 200

        said = f"tiny did not answer /livez {watch.MISSES} times in a row; starting it again in 0.5 s"
        assert await _restarted(part, told, hang) == said


async def test_a_child_ends_when_its_starter_is_killed() -> None:
    starter = """
import asyncio, os, subprocess, sys
from deploy.local import child
running = child.Child(child.Command(argv=["sleep", "600"]), subprocess.DEVNULL)
print(running.pid, flush=True)
asyncio.run(running.ended_within(600))
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", starter, stdout=subprocess.PIPE, cwd=pathlib.Path(child.__file__).parents[2]
    )
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    process.kill()
    await process.wait()

    async def gone() -> bool:
        return not psutil.pid_exists(pid)

    await waiting.until(gone, 10, "the child to end with its starter")


def test_what_a_killed_supervisor_left_behind_is_ended_by_the_ledger(tmp_path: pathlib.Path) -> None:
    # Started by hand, without the tie that ends children on Linux: as a supervisor elsewhere would leave it.
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    earlier = ledger.Ledger(tmp_path / "processes.json")
    earlier.note("ingest", process.pid)

    left = ledger.leftovers(ledger.Ledger(tmp_path / "processes.json").read(), ledger.started_at)
    assert [entry.pid for entry in left] == [process.pid]
    ledger.end(left)

    assert not psutil.pid_exists(process.pid)
    process.wait()
    assert ledger.leftovers(left, ledger.started_at) == []
