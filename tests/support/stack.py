"""The Kafka and the PostgreSQL of a test run: the environment's, else one of each, started on first use."""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import psutil

START_SECONDS = 700.0  # on a fresh machine Maven fetches Kafka first
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05
ENVIRONMENT = {"kafka": "TOCSIN_KAFKA_BOOTSTRAP", "postgres": "TOCSIN_POSTGRES_DSN"}


def run_pid() -> int:
    """The pid of the pytest run: xdist's workers are its children."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def _folder() -> pathlib.Path:
    return pathlib.Path(tempfile.gettempdir()) / f"tocsin-tests-{os.getuid()}-{run_pid()}"


def address(name: str) -> str:
    """The bootstrap address (`kafka`) or the owner's DSN (`postgres`) of this run."""
    if given := os.environ.get(ENVIRONMENT[name]):
        return given
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    answer = folder / f"{name}.json"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            _start_keeper(name, folder)
            _wait_for(answer)
    told: dict[str, str] = json.loads(answer.read_text())
    if "error" in told:
        raise RuntimeError(told["error"])
    return told["address"]


def _start_keeper(name: str, folder: pathlib.Path) -> None:
    command = [sys.executable, "-m", "tests.support.keeper", name, str(folder), str(run_pid())]
    root = pathlib.Path(__file__).parents[2]
    with (folder / f"{name}.keeper.log").open("wb") as log:
        keeper = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=root)
    (folder / f"{name}.pid").write_text(str(keeper.pid))
    keeper.returncode = 0  # it outlives this worker by design: no warning when this handle is dropped


def _wait_for(answer: pathlib.Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    keeper = psutil.Process(int(answer.with_suffix(".pid").read_text()))
    while not answer.exists():
        if not keeper.is_running() or keeper.status() == psutil.STATUS_ZOMBIE:
            log = answer.with_suffix(".keeper.log").read_text()
            raise RuntimeError(f"the test run's {answer.stem} could not start: {log}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the test run's {answer.stem} did not start within {START_SECONDS} s")
        time.sleep(POLL_SECONDS)


def stop() -> None:
    """End what this run started; called once, by the run itself."""
    folder = _folder()
    keepers = []
    for file in folder.glob("*.pid"):
        with contextlib.suppress(psutil.NoSuchProcess):
            keepers.append(psutil.Process(int(file.read_text())))
    for keeper in keepers:
        with contextlib.suppress(psutil.NoSuchProcess):
            keeper.send_signal(signal.SIGTERM)
    psutil.wait_procs(keepers, timeout=STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
