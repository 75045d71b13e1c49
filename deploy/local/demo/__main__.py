"""`make run`: the whole stack with a small workload; `--exit` ends by itself, with a JSON summary as its last line."""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import sys
import time

import aiohttp

from deploy.local import errors, supervisor, together
from deploy.local.demo import reckoning, workload
from deploy.local.demo.stage import Stage
from shared.runtime import lifecycle

LOOK_SECONDS = 1.0
SETTLE_SECONDS = 3.0  # after the last arrival: time for a repeat to show
QUIET_SECONDS = 45.0  # without any arrival: what is missing now is lost


def main() -> None:
    """Run the demo; the exit code is 0 when nothing is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="stop when every delivery has ended")
    parser.add_argument("--state", type=pathlib.Path, help="state folder; default TOCSIN_STATE, else .tocsin")
    chosen = parser.parse_args()
    quiet = {"TOCSIN_LOG_LEVEL": os.environ.get("TOCSIN_LOG_LEVEL", "warning")}
    options = supervisor.UpOptions(state=chosen.state, demo=True, settings=quiet)
    try:
        sys.exit(asyncio.run(_run(options, ends=chosen.exit)))
    except errors.LocalStackError as error:
        sys.exit(f"cannot start: {error}")


async def _run(options: supervisor.UpOptions, *, ends: bool) -> int:
    summary: reckoning.Summary | None = None
    with contextlib.suppress(lifecycle.StopAskedError):
        async with supervisor.up(options) as system:
            _welcome(system)
            [summary] = await together.unless_stopped(system.stop, _performed(system))
            system.screen.tell(f"the demo has ended: {_as_json(summary)}")
            if not ends:
                system.screen.tell("everything stays until Ctrl-C")
                await system.stop.wait()
    if summary is None:
        return 1 if ends else 0  # stopped before the demo had ended
    if ends:
        sys.stdout.write(_as_json(summary) + "\n")
    return 0 if summary.complete or not ends else 1


def _welcome(system: supervisor.System) -> None:
    for name in ("ingest", "inbox", "console", "mailbox"):
        system.screen.tell(f"{name:<8} {system.document[name]}")
    system.screen.tell(f"webhooks {system.document['mailbox']}/hooks")
    system.screen.tell("keys and addresses for programs are in endpoints.json in the state folder")


async def _performed(system: supervisor.System) -> reckoning.Summary:
    """Set up, send, and wait for the end of every delivery."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        stage = Stage(system.document, http)
        await stage.set_up()
        requests = workload.requests(secrets.token_hex(4), stage.users)
        system.screen.tell(f"sending {len(requests)} requests to {len(stage.users)} users through both doors")
        began = time.monotonic()
        answers = await stage.send(requests)
        for oddity in answers.oddities:
            system.screen.tell(oddity)
        wanted = workload.expected(requests)
        got, last = await _ended(system, stage, requests, wanted)
        return reckoning.summary(answers, wanted, got, last - began)


async def _ended(
    system: supervisor.System, stage: Stage, requests: list[workload.Request], wanted: set[workload.Arrival]
) -> tuple[reckoning.Received, float]:
    """What had arrived when all had and nothing more came, or nothing came for long; and when the last came."""
    count, last = -1, time.monotonic()
    while True:
        got = await stage.received(requests)
        if got.arrivals.total() != count:
            count, last = got.arrivals.total(), time.monotonic()
            arrived = got.arrived(wanted)
            system.screen.tell(f"{arrived} of {len(wanted)} deliveries have arrived, {got.digests} digests among them")
        patience = SETTLE_SECONDS if got.arrived(wanted) == len(wanted) else QUIET_SECONDS
        if time.monotonic() - last > patience:
            return got, last
        await asyncio.sleep(LOOK_SECONDS)


def _as_json(summary: reckoning.Summary) -> str:
    return json.dumps(dataclasses.asdict(summary))


if __name__ == "__main__":
    main()
