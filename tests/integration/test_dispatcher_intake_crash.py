"""What a kill between intake's steps leaves behind is finished by whoever reads next, and visible once."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.dispatcher.intake import loop
from shared.contract import topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.errors import TransientError
from shared.kafka.lag import open_lag_reader
from shared.runtime.settings import KafkaSettings
from tests.support import intake, roles, waiting
from tests.support.databases import Database
from tests.support.notifications import accepted

PUSH = topics.deliveries(Channel.PUSH, Lane.ROUTINE)
NOTIFICATIONS = 40


@pytest_asyncio.fixture
async def bench(kafka_settings: KafkaSettings, database: Database) -> AsyncIterator[intake.Bench]:
    await intake.users(database, 3)
    async with intake.opened(kafka_settings, database, group="watching.the.topic") as opened:
        yield opened


@pytest.mark.parametrize(
    ("step", "taken_in_before", "produced_before"),
    [("before_commit", False, False), ("after_commit", True, False), ("after_produce", True, True)],
)
async def test_a_killed_intake_loses_nothing_and_shows_nothing_twice(
    bench: intake.Bench, step: str, *, taken_in_before: bool, produced_before: bool
) -> None:
    await bench.send(*(accepted("u0", "u1", "u2") for _ in range(NOTIFICATIONS)))
    await roles.killed(bench, "intake.routine", f"dispatcher.intake.{step}")
    rows = await bench.rows("SELECT count(*) FROM inbox_items")
    assert (rows != [(0,)]) == taken_in_before
    assert bool(await bench.written(PUSH)) == produced_before

    async with roles.running(bench, "intake.routine"), open_lag_reader(bench.kafka) as reader:

        async def all_read() -> bool:
            with contextlib.suppress(TransientError):  # the group's coordinator is still being found
                return await reader.of(loop.group(Lane.ROUTINE), [topics.accepted(Lane.ROUTINE)]) == 0
            return False

        await waiting.until(all_read, 60, "every record to be taken in and its offset committed")

    assert len({one["id"] for one in await bench.written(PUSH)}) == 3 * NOTIFICATIONS
    assert await bench.rows("SELECT count(*) FROM inbox_items") == [(3 * NOTIFICATIONS,)]
    assert await bench.rows("SELECT count(*) FROM notifications") == [(NOTIFICATIONS,)]
    accepted_events = Counter(event["id"] for event in await bench.written(topics.EVENTS))
    assert len(accepted_events) == NOTIFICATIONS
    windows = {one["id"] for one in await bench.written(topics.DIGEST_WINDOWS)}
    assert {(window,) for window in windows} == set(await bench.rows("SELECT id::text FROM windows"))
