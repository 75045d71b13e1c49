"""`python -m tests.support.keeper kafka|postgres FOLDER PYTEST_PID`: a server that lives as long as a pytest run.

A process of its own, because xdist's workers come and go in any order while all of them share the server.
"""

import asyncio
import contextlib
import json
import pathlib
import shutil
import signal
import sys

import psutil

from deploy.local import errors, kafka, postgres
from deploy.local.postgres.options import Options

POLL_SECONDS = 0.2


def _alive(run: psutil.Process) -> bool:
    return run.is_running() and run.status() != psutil.STATUS_ZOMBIE


def _publish(answer: pathlib.Path, content: dict[str, str]) -> None:
    scratch = answer.with_suffix(".part")
    scratch.write_text(json.dumps(content))
    scratch.rename(answer)


def _server(name: str, folder: pathlib.Path) -> kafka.Kafka | postgres.Postgres:
    return kafka.Kafka(folder) if name == "kafka" else postgres.Postgres(folder, Options(fsync=False))


async def _until_over(run: psutil.Process, stop: asyncio.Event) -> None:
    while _alive(run):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), POLL_SECONDS)
            return


async def _keep(name: str, folder: pathlib.Path, run: psutil.Process) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = _server(name, folder / name)
    answer = folder / f"{name}.json"
    try:
        _publish(answer, {"address": await server.start()})
    except errors.LocalStackError as error:
        _publish(answer, {"error": str(error)})
        return
    await _until_over(run, stop)
    await server.stop()
    shutil.rmtree(folder / name, ignore_errors=True)
    if not _alive(run):  # the run was killed: nobody else will remove the folder
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    name, folder, pid = sys.argv[1:]
    asyncio.run(_keep(name, pathlib.Path(folder), psutil.Process(int(pid))))


if __name__ == "__main__":
    main()
