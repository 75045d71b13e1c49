"""`make run EXIT=1`: the demo ends by itself, its last line is the summary, and nothing is missing."""

import asyncio
import json
import os
import pathlib
import subprocess
import sys

import pytest

from deploy.local import state

SECONDS = 180
SUMMARY = {
    "accepted", "rejected", "duplicates", "expected_deliveries", "delivered", "digests", "lost", "repeated", "seconds",
}  # fmt: skip


@pytest.mark.timeout(SECONDS + 60)
async def test_the_demo_sends_through_both_doors_loses_nothing_and_says_so_in_its_last_line(
    tmp_path: pathlib.Path,
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.local.demo", "--exit", "--state", str(tmp_path / "state"),
        cwd=state.CHECKOUT, env=os.environ, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    summary = json.loads(output.decode().splitlines()[-1])
    assert process.returncode == 0, output.decode()
    assert set(summary) == SUMMARY
    assert (summary["accepted"], summary["rejected"], summary["duplicates"]) == (190, 5, 5)
    assert summary["delivered"] == summary["expected_deliveries"] > 500
    assert summary["digests"] >= 20
    assert (summary["lost"], summary["repeated"]) == (0, 0)
    assert not (tmp_path / "state" / "endpoints.json").exists()
