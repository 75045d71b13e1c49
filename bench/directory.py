"""A directory of 100,000 users brought in by `tocsin users import`, as whoever sets Tocsin up would."""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import usage
from deploy.local import trial

_WANTED_SECONDS = 20.0


async def main() -> None:
    """Write the file, import it, and tell; `--seconds` is accepted as every measurement does, and not needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=_WANTED_SECONDS, help="not used: it ends when all are in")
    parser.add_argument("--users", type=int, default=100_000)
    users = parser.parse_args().users
    async with trial.started() as running:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "users.ndjson"
            await asyncio.to_thread(file.write_text, _lines(users))
            before, begun = usage.measured(running), time.monotonic()
            await _imported(running, file)
            took = time.monotonic() - begun
        after = usage.measured(running)
    usage.told({
        "name": "directory", "figure": round(took, 1), "unit": f"s for {users} users", "ceiling": _WANTED_SECONDS,
        "ratio": round(took / _WANTED_SECONDS, 3), "cpu_us_per_item": usage.cpu_us(before, after, users),
        "rss_mb": usage.rss_mb(after), "p50_ms": None, "p99_ms": None, "users_per_second": round(users / took, 1),
    })  # fmt: skip


def _lines(users: int) -> str:
    return "".join(
        json.dumps({
            "id": f"user-{number}", "email": f"user-{number}@example.test", "first_name": "Ada",
            "last_name": f"Lovelace {number}", "locale": "en-AU", "timezone": "Australia/Sydney",
        }) + "\n"
        for number in range(users)
    )  # fmt: skip


async def _imported(running: trial.Trial, file: Path) -> None:
    environment = {**os.environ, "TOCSIN_API_KEY": running.key}
    importing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "users", "import", str(file), "--state", str(running.state),
        env=environment, stdout=sys.stderr, stderr=sys.stderr,
    )  # fmt: skip
    if await importing.wait() != 0:
        raise RuntimeError("the import failed; its output says why")


if __name__ == "__main__":
    asyncio.run(main())
