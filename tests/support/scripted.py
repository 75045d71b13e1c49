"""The role `scripts` in this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.dispatcher.runs.calling import Callers
from services.dispatcher.runs.endings import Endings
from services.dispatcher.runs.loop import Background
from services.dispatcher.settings import Settings
from shared import plugins
from shared.clock import SystemClock
from tests.support import plugin
from tests.support.intake import Bench


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the test's package beside the project's own; names are asked for anew."""
    monkeypatch.syspath_prepend(plugin.installed(folder))
    plugins.names.cache_clear()
    plugins.loaded.cache_clear()


@contextlib.asynccontextmanager
async def working(bench: Bench, **changed: Any) -> AsyncIterator[Background]:
    """The role `scripts` at work."""
    settings = Settings(**{
        **bench.parts.settings.model_dump(), "scripts_poll_seconds": 0.05, "script_retry_seconds": 0.05,
        "script_attempts": 2, **changed,
    })  # fmt: skip
    endings = Endings(bench.pool, bench.parts.producer, SystemClock())
    background = Background(bench.pool, endings, Callers(), bench.parts.metrics, settings, "one/scripts")
    stop = asyncio.Event()
    running = asyncio.create_task(background.run(stop))
    try:
        yield background
    finally:
        stop.set()
        await running
