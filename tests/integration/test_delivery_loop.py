"""A lane's loop between real Kafka, real PostgreSQL and receivers that misbehave."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest_asyncio

from shared.contract import topics
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import Channel
from shared.contract.records import Record
from shared.runtime.settings import KafkaSettings
from tests.support import databases, delivering, faulty_http, faulty_smtp, lanes, proxy, waiting
from tests.support.delivering import Bench
from tests.support.faulty_http import Receiver

PUSH, EMAIL = Channel.PUSH, Channel.EMAIL
WITHIN = 30.0


@pytest_asyncio.fixture
async def bench(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, PUSH) as opened:
        yield opened


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with faulty_http.running() as running:
        yield running


async def asked(bench: Bench, address: str, count: int = 1) -> list[DeliveryRequested]:
    """Deliveries of one notification each to one endpoint."""
    endpoint = await bench.endpoint(address)
    return [bench.request(await bench.notification(), endpoint) for _ in range(count)]


async def until_all(bench: Bench, state: str, count: int, **given: Any) -> None:
    async def reached() -> bool:
        found = await bench.owner.fetchval("SELECT count(*) FROM deliveries WHERE state = $1", state)
        return bool(found == count)

    await waiting.until(reached, given.get("within", WITHIN), f"{count} deliveries to be {state}")


async def test_deliveries_arrive_once_and_are_recorded_told_and_counted(
    bench: Bench, receiver: Receiver, kafka_settings: KafkaSettings, database: databases.Database
) -> None:
    requests = await asked(bench, f"{receiver.url}/ada/200", 20)
    async with lanes.running(kafka_settings, database.dsn("dispatcher"), PUSH) as lane:
        await lane.ask(*requests, *requests)
        await until_all(bench, "sent", 20)
        assert lane.counted("tocsin_delivery_attempts_total", channel="push", lane="urgent", outcome="delivered") == 20
        assert lane.counted("tocsin_delivery_seconds_count", channel="push", lane="urgent") == 20
        await lane.ask(requests[0])

        async def committed() -> bool:
            return await lane.committed(PUSH) == 41

        await waiting.until(committed, WITHIN, "the duplicates to be read")
    arrived = sorted(headers["webhook-id"] for headers, _ in receiver.arrived("ada"))
    assert arrived == sorted(str(request.id) for request in requests)
    assert await bench.owner.fetchval("SELECT count(*) FROM outbox") == 0


async def test_what_a_slow_destination_ends_one_by_one_is_recorded_together(
    bench: Bench, receiver: Receiver, kafka_settings: KafkaSettings, database: databases.Database
) -> None:
    requests = await asked(bench, f"{receiver.url}/ada/200", 30)
    async with lanes.running(kafka_settings, database.dsn("dispatcher"), PUSH, webhook_connections=1) as lane:
        await lane.ask(*requests)
        await until_all(bench, "sent", 30)
    records_of_outcomes = await bench.owner.fetchval(
        "SELECT last_value FROM pg_sequences WHERE sequencename ~ 'outbox'"
    )
    assert records_of_outcomes <= 10


async def test_a_destination_that_hangs_holds_neither_the_partition_nor_the_others(
    bench: Bench, receiver: Receiver, kafka_settings: KafkaSettings, database: databases.Database
) -> None:
    async with faulty_http.running() as other:
        hanging = await asked(bench, f"{other.url}/stuck/hang", 30)
        well = await asked(bench, f"{receiver.url}/ada/200", 30)
        bounds = {"webhook_connections": 2, "claim_batch": 10, "in_flight": 40, "send_timeout_seconds": 15}
        async with lanes.running(kafka_settings, database.dsn("dispatcher"), PUSH, **bounds) as lane:
            await lane.ask(*hanging)
            await lane.ask(*well)
            await until_all(bench, "sent", 30, within=12)
            assert await lane.committed(PUSH) == 60
            other.let_go.set()
    reasons = await bench.owner.fetch("SELECT DISTINCT reason, attempt FROM deliveries WHERE state = 'retry'")
    assert {tuple(row) for row in reasons} <= {("destination_full", 1), ("handed_back", 1)}


async def test_a_stop_finishes_what_is_being_sent_and_hands_back_the_rest(
    bench: Bench, receiver: Receiver, kafka_settings: KafkaSettings, database: databases.Database
) -> None:
    requests = await asked(bench, f"{receiver.url}/ada/hang", 6)
    async with lanes.running(kafka_settings, database.dsn("dispatcher"), PUSH, webhook_connections=2) as lane:
        await lane.ask(*requests)

        async def two_are_being_sent() -> bool:
            return len(receiver.requests) == 2

        await waiting.until(two_are_being_sent, WITHIN, "two requests")
        stopping = asyncio.create_task(lane.stop())
        await until_all(bench, "retry", 4)
        assert not stopping.done(), "what is being sent is waited for"
        receiver.let_go.set()
        await stopping
    found = await bench.owner.fetch("SELECT state, reason, attempt, count(*) FROM deliveries GROUP BY 1, 2, 3")
    assert {tuple(row) for row in found} == {("sent", None, 1, 2), ("retry", "handed_back", 1, 4)}


async def test_outcomes_are_kept_while_postgres_is_away_and_written_first(
    bench: Bench, receiver: Receiver, kafka_settings: KafkaSettings, database: databases.Database
) -> None:
    requests = await asked(bench, f"{receiver.url}/ada/hang", 3)
    async with (
        proxy.before(database.dsn("dispatcher")) as between,
        lanes.running(kafka_settings, between.dsn(database.dsn("dispatcher")), PUSH) as lane,
    ):
        await lane.ask(*requests)
        await until_all(bench, "leased", 3)
        between.cut()
        receiver.let_go.set()

        async def answered() -> bool:
            return len(receiver.requests) == 3

        await waiting.until(answered, WITHIN, "three requests")
        assert await lane.health.problems(lane.health.live) == {}
        between.mend()
        await until_all(bench, "sent", 3)
    assert len(receiver.requests) == 3, "nothing was sent twice"


async def test_what_nobody_understands_becomes_a_dead_letter_and_holds_nothing(
    bench: Bench, receiver: Receiver, kafka_settings: KafkaSettings, database: databases.Database
) -> None:
    (request,) = await asked(bench, f"{receiver.url}/ada/200")
    topic = topics.deliveries(PUSH, request.lane)
    wrong_endpoint = request.model_copy(update={"endpoint": "no uuid"})
    async with lanes.running(kafka_settings, database.dsn("dispatcher"), PUSH) as lane:
        poison = [Record(topic, b"key", value) for value in (b"not json", b"\xff", None, wrong_endpoint.encoded())]
        await lane.producer.send_all(poison)
        await lane.ask(request)
        await until_all(bench, "sent", 1)

        async def buried() -> bool:
            return bool(
                await bench.owner.fetchval("SELECT count(*) = 4 FROM dead_letters WHERE reason = 'undecodable'")
            )

        await waiting.until(buried, WITHIN, "four dead letters")
        assert lane.counted("tocsin_dead_letters_total", reason="undecodable") == 4


async def test_a_relay_that_is_full_is_left_alone_and_no_attempt_is_spent(
    database: databases.Database, kafka_settings: KafkaSettings
) -> None:
    async with (
        delivering.opened(database, EMAIL) as bench,
        faulty_smtp.running() as relay,
        lanes.running(kafka_settings, database.dsn("dispatcher"), EMAIL, smtp_port=relay.port) as lane,
    ):
        await bench.user("ada", "rcpt-421@example.test")
        await bench.user("grace", "grace@example.test")
        refused = bench.request(await bench.notification())
        await lane.ask(refused)
        await until_all(bench, "retry", 1)
        row = await bench.row(refused.id)
        assert (row["reason"], row["attempt"], await bench.attempts(refused.id)) == ("destination_full", 1, [])
        await lane.ask(*[bench.request(await bench.notification(), recipient="grace") for _ in range(20)])

        async def all_sent() -> bool:
            due = await bench.owner.fetch(
                "SELECT subject_id FROM deliveries WHERE recipient = 'grace' AND state = 'retry' AND due_at <= now()"
            )
            await lane.ask(*[bench.request(row["subject_id"], recipient="grace") for row in due])
            return bool(await bench.owner.fetchval("SELECT count(*) = 20 FROM deliveries WHERE state = 'sent'"))

        await waiting.until(all_sent, WITHIN, "the pause to be over")
        assert len(relay.mails) == 20
        assert await bench.owner.fetchval("SELECT max(attempt) FROM deliveries") == 1


async def test_mails_carry_the_delivery_in_their_message_id(
    database: databases.Database, kafka_settings: KafkaSettings
) -> None:
    async with (
        delivering.opened(database, EMAIL) as bench,
        faulty_smtp.running() as relay,
        lanes.running(kafka_settings, database.dsn("dispatcher"), EMAIL, smtp_port=relay.port) as lane,
    ):
        await bench.user()
        requests = [bench.request(await bench.notification()) for _ in range(10)]
        await lane.ask(*requests)
        await until_all(bench, "sent", 10)
    identities = {UUID(content.partition(b"Message-ID: <")[2][:36].decode()) for _, content in relay.mails}
    assert identities == {request.id for request in requests}
    assert len(relay.mails) == 10
