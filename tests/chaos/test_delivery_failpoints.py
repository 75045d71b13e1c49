"""A sink killed at every numbered step of a delivery's way: nothing is lost, and every repeat is accounted for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local import kafka
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel
from shared.kafka.producer import open_producer
from shared.runtime.settings import KafkaSettings
from tests.support import databases, delivering, faulty_http, lanes, waiting
from tests.support.delivering import Bench
from tests.support.faulty_http import Receiver

STEPS = [
    "before_claim", "after_claim", "after_commit", "before_send", "after_send", "before_record", "after_record",
    "after_events",
]  # fmt: skip
NOTHING_WAS_SENT = {"before_claim", "after_claim", "after_commit", "before_send"}
COUNT = 5
WITHIN = 60.0


@pytest_asyncio.fixture
async def bench(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.PUSH) as opened:
        yield opened


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with faulty_http.running() as running:
        yield running


@pytest.mark.parametrize("step", STEPS)
async def test_a_sink_killed_at_a_step_loses_nothing_and_repeats_only_what_is_ambiguous(
    bench: Bench, receiver: Receiver, kafka_settings: KafkaSettings, database: databases.Database, step: str
) -> None:
    endpoint = await bench.endpoint(f"{receiver.url}/ada/200")
    *requests, later = [bench.request(await bench.notification(), endpoint) for _ in range(COUNT)]
    await ask(kafka_settings, *requests)
    dsn = database.dsn("dispatcher")
    failpoint = {"TOCSIN_FAILPOINTS": f"dispatcher.delivery.{step}=kill"}
    async with lanes.process(kafka_settings, dsn, Channel.PUSH, failpoint) as killed:
        assert await asyncio.to_thread(killed.wait, WITHIN) == -9
    await kafka.forget_members(kafka_settings.kafka_bootstrap, kafka_settings.group(""))
    await ask(kafka_settings, later)
    async with lanes.process(kafka_settings, dsn, Channel.PUSH, {}) as restarted:
        await waiting.until(lambda: all_sent(bench, kafka_settings), WITHIN, "every delivery to be sent")
        restarted.terminate()
        assert await asyncio.to_thread(restarted.wait, WITHIN) == 0
    await account(bench, receiver, step)


async def account(bench: Bench, receiver: Receiver, step: str) -> None:
    """Every delivery arrived; raw repeats are at most the ambiguous attempts, and carry the same identity."""
    arrived = [headers["webhook-id"] for headers, _ in receiver.arrived("ada")]
    assert len(set(arrived)) == COUNT
    ambiguous = await bench.owner.fetchval("SELECT count(*) FROM attempts WHERE outcome = 'ambiguous'")
    assert len(arrived) - COUNT <= ambiguous
    if step in NOTHING_WAS_SENT:
        assert len(arrived) == COUNT
    delivered = await bench.owner.fetchval("SELECT count(*) FROM attempts WHERE outcome = 'delivered'")
    assert delivered == COUNT


async def all_sent(bench: Bench, settings: KafkaSettings) -> bool:
    """Whether all are sent; what is due again is asked for, as the scheduler would."""
    rows = await bench.owner.fetch("SELECT subject_id, endpoint, attempt, state FROM deliveries")
    due = [row for row in rows if row["state"] == "retry"]
    await ask(settings, *(bench.request(row["subject_id"], row["endpoint"], attempt=row["attempt"]) for row in due))
    return [row["state"] for row in rows] == ["sent"] * COUNT


async def ask(settings: KafkaSettings, *requests: DeliveryRequested) -> None:
    if requests:
        async with open_producer(settings) as producer:
            await lanes.ask(producer, requests)
