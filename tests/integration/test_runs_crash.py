"""The role `scripts` killed at every step of a run: what was asked for happens once, and nothing is lost."""

import asyncio
import json
import pathlib
import signal

import pytest

from shared.contract import topics
from shared.contract.messages import NotificationAccepted
from shared.postgres import outbox
from shared.runtime.settings import KafkaSettings
from tests.support import intake, notifications, plugin, service, unsubscribing, waiting
from tests.support.databases import Database
from tests.support.intake import Bench

SCRIPT = notifications.accepted("u0", script="politely", name="Boiler", owner="topic")
REPORT = notifications.accepted("ghost", name="Team news", completion_email=True)


@pytest.mark.parametrize(
    ("asked", "failpoint", "keys"),
    [
        pytest.param(SCRIPT, "dispatcher.runs.after_lease", 2, id="leased"),
        pytest.param(SCRIPT, "dispatcher.runs.after_call", 2, id="called"),
        pytest.param(SCRIPT, "dispatcher.runs.before_commit", 2, id="written"),
        pytest.param(SCRIPT, "dispatcher.runs.after_commit", 2, id="committed"),
        pytest.param(SCRIPT, "dispatcher.runs.after_produce", 2, id="produced"),
        pytest.param(REPORT, "dispatcher.completion.before_commit", 1, id="report written"),
        pytest.param(REPORT, "dispatcher.completion.after_commit", 1, id="report committed"),
        pytest.param(REPORT, "dispatcher.runs.after_produce", 1, id="report produced"),
    ],
)
async def test_killed_at_any_step_what_was_asked_for_happens_once(
    kafka_settings: KafkaSettings, database: Database, tmp_path: pathlib.Path, asked: NotificationAccepted,
    failpoint: str, keys: int,
) -> None:  # fmt: skip
    path = [plugin.installed(tmp_path)]
    async with intake.opened(kafka_settings, database) as bench:
        await intake.users(database, 2)
        await bench.rows("UPDATE users SET roles = '{COMPANY_ADMIN}' WHERE id = 'u1' RETURNING id")
        await bench.take_in(asked)
        told = {
            "postgres_dsn": database.dsn("dispatcher"), "kafka_bootstrap": kafka_settings.kafka_bootstrap,
            "topic_prefix": kafka_settings.topic_prefix, "instance": "one", "scripts_poll_seconds": "0.1",
            **unsubscribing.SETTINGS,
        }  # fmt: skip
        only = ["--only", "scripts"]
        failing = {**told, "failpoints": f"{failpoint}=kill"}
        async with service.running("dispatcher", failing, arguments=only, path=path) as first:
            assert await asyncio.to_thread(first.process.wait, 60) == -signal.SIGKILL
        async with service.running("dispatcher", told, arguments=only, path=path) as second:
            await second.until("/readyz", 200)
            await waiting.until(lambda: _done(bench), 60, "the run to be done")
            assert await second.stop() == 0
        assert len(await _asked_for(bench)) == keys
        assert await bench.rows("SELECT count(*) FROM runs") == [(1,)]


async def _done(bench: Bench) -> bool:
    return await bench.rows("SELECT state FROM runs") == [("done",)]


async def _asked_for(bench: Bench) -> set[str]:
    """The idempotency keys of what was produced, and of what the scheduler will produce."""
    bodies = await bench.written(topics.REQUESTS)
    kept = [
        record for (content,) in await bench.rows("SELECT records FROM outbox") for record in outbox.records_of(content)
    ]
    bodies += [json.loads(record.value or b"") for record in kept if record.topic == topics.REQUESTS]
    return {body["idempotency_key"] for body in bodies}
