"""The Kafka adapter on a real broker: acknowledged sends, offsets committed only behind finished work."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared.contract import topics
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.errors import PermanentError, TransientError
from shared.kafka.consumer import Batch, Consumer, consume, open_consumer
from shared.kafka.producer import open_producer
from shared.runtime.settings import KafkaSettings
from tests.support import waiting


def records(count: int) -> list[Record]:
    return [Record(topics.REQUESTS, str(number).encode(), f"value {number}".encode()) for number in range(count)]


async def read_until(settings: KafkaSettings, count: int) -> list[bytes | None]:
    """Read and commit until `count` values were seen."""
    seen: list[bytes | None] = []
    stop = asyncio.Event()

    async def work(batch: Batch) -> None:
        seen.extend(record.value for record in batch.records)
        if len(seen) >= count:
            stop.set()

    async with open_consumer(settings, "reader", [topics.REQUESTS], 100) as consumer, asyncio.timeout(30):
        await consume(consumer, work, stop)
    return seen


async def test_every_record_sent_is_read_once_when_all_goes_well(kafka_settings: KafkaSettings) -> None:
    async with open_producer(kafka_settings) as producer:
        await producer.send_all(records(500))
    seen = await read_until(kafka_settings, 500)
    assert sorted(filter(None, seen)) == sorted(f"value {number}".encode() for number in range(500))


async def test_an_idle_consumer_seldom_asks(kafka_settings: KafkaSettings, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        open_consumer(kafka_settings, "idle", [topics.REQUESTS], 100) as consumer,
        open_producer(kafka_settings) as producer,
        asyncio.timeout(30),
    ):
        await producer.send(records(1)[0])
        while not (await consumer.batch()).records:
            continue
        with caplog.at_level(logging.DEBUG, "aiokafka.consumer.fetcher"):
            assert not (await consumer.batch(wait_seconds=2.0)).records
        fetches = [said for said in caplog.messages if said.startswith("Adding fetch request")]
        asked = [said for said in fetches if f"{topics.REQUESTS}', partition=0)" in said]
        assert 0 < len(asked) <= 6


async def test_a_batch_is_repeated_until_its_work_succeeds_and_committed_only_then(
    kafka_settings: KafkaSettings,
) -> None:
    async with open_producer(kafka_settings) as producer:
        await producer.send_all(records(3))
    tries: list[Sequence[int]] = []
    stop = asyncio.Event()

    async def work(batch: Batch) -> None:
        tries.append([record.offset for record in batch.records])
        if len(tries) < 3:
            raise TransientError("PostgreSQL is away", Reason.POSTGRES_UNAVAILABLE)
        stop.set()

    async with open_consumer(kafka_settings, "repeater", [topics.REQUESTS], 100) as consumer, asyncio.timeout(30):
        await consume(consumer, work, stop)
    assert len(tries) >= 3
    assert tries[0] == tries[1] == tries[2]


async def test_what_was_not_finished_at_the_stop_comes_again(kafka_settings: KafkaSettings) -> None:
    async with open_producer(kafka_settings) as producer:
        await producer.send_all(records(1))
    stop = asyncio.Event()

    async def never_succeeds(_batch: Batch) -> None:
        stop.set()
        raise TransientError("PostgreSQL is away", Reason.POSTGRES_UNAVAILABLE)

    async with open_consumer(kafka_settings, "reader", [topics.REQUESTS], 100) as consumer, asyncio.timeout(30):
        await consume(consumer, never_succeeds, stop)
    assert await read_until(kafka_settings, 1) == [b"value 0"]


async def test_a_record_larger_than_kafka_takes_is_refused_for_good(kafka_settings: KafkaSettings) -> None:
    async with open_producer(kafka_settings) as producer:
        with pytest.raises(PermanentError) as refused:
            await producer.send(Record(topics.REQUESTS, None, b"x" * 3_000_000))
    assert refused.value.reason is Reason.TOO_LARGE


async def test_a_broker_that_is_not_there_is_a_transient_error() -> None:
    nowhere = KafkaSettings(kafka_bootstrap="127.0.0.1:9")
    with pytest.raises(TransientError):
        async with open_producer(nowhere):
            pass


@contextlib.asynccontextmanager
async def behind(settings: KafkaSettings) -> AsyncIterator[Consumer]:
    """A consumer that has read one record of fifty and knows of more."""
    async with open_producer(settings) as producer:
        await producer.send_all(records(50))
    async with open_consumer(settings, "stalled", [topics.REQUESTS], 1) as consumer:

        async def lag_is_known() -> bool:
            await consumer.batch(0.2)
            return consumer.lag() > 0

        await waiting.until(lag_is_known, 20, "a fetch that tells of more records")
        yield consumer


async def test_a_consumer_that_asks_in_vain_before_more_records_counts_as_stalled(
    kafka_settings: KafkaSettings,
) -> None:
    async with behind(kafka_settings.model_copy(update={"stall_seconds": 0.5})) as consumer:
        assert await consumer.stalled(time.monotonic()) is None
        consumer._client.pause(*consumer._client.assignment())  # noqa: SLF001 - as a fetcher that has died

        async def stalled() -> str | None:
            assert not (await consumer.batch(0.1)).records
            return await consumer.stalled(time.monotonic())

        assert "has not moved" in await waiting.until(stalled, 20, "the watch to run out")


async def test_a_partition_that_comes_back_after_a_rebalance_is_watched_anew(kafka_settings: KafkaSettings) -> None:
    async with behind(kafka_settings.model_copy(update={"stall_seconds": 0.5})) as consumer:
        client, now = consumer._client, time.monotonic()  # noqa: SLF001 - a rebalance, without the wait for one
        begun = {partition: await client.position(partition) for partition in client.assignment()}
        assert await consumer.stalled(now) is None
        client.unsubscribe()
        assert await consumer.stalled(now + 1) is None
        client.assign(list(begun))
        for partition, position in begun.items():
            client.seek(partition, position)
        await waiting.until(lambda: _knows_of_more(consumer), 20, "a fetch that tells of more records")
        for partition, position in begun.items():
            client.seek(partition, position)
        assert await consumer.stalled(now + 2) is None


async def _knows_of_more(consumer: Consumer) -> bool:
    await consumer.batch(0.2)
    return consumer.lag() > 0


async def test_a_reader_that_does_not_ask_is_waiting_and_not_stalled(kafka_settings: KafkaSettings) -> None:
    async with behind(kafka_settings) as consumer:
        now = time.monotonic()
        assert await consumer.stalled(now) is None
        assert await consumer.stalled(now + 10 * kafka_settings.stall_seconds) is None


async def test_many_records_of_any_size_arrive_where_single_ones_do(kafka_settings: KafkaSettings) -> None:
    sent = [Record(topics.REQUESTS, str(n % 7).encode(), b"%d " % n + b"x" * (n * 997 % 90_000)) for n in range(200)]
    async with open_producer(kafka_settings) as producer:
        await producer.send_all(sent)
        for number in range(7):
            await producer.send(Record(topics.REQUESTS, str(number).encode(), b"single"))
    places: dict[bytes, set[int]] = {}
    seen: list[bytes] = []
    async with open_consumer(kafka_settings, "reader", [topics.REQUESTS], 500) as consumer, asyncio.timeout(30):
        while len(seen) < 207:
            for record in (await consumer.batch()).records:
                places.setdefault(record.key or b"", set()).add(record.partition)
                seen.append(record.value or b"")
    assert sorted(seen) == sorted([*(record.value or b"" for record in sent), *[b"single"] * 7])
    assert {len(partitions) for partitions in places.values()} == {1}


class _NoText(str):
    """A header's name that a careless writer encodes in its own way."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - str's signature
        return b"\xff\xfe"


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_a_header_whose_name_is_no_text_stops_nobody(kafka_settings: KafkaSettings, compression: str) -> None:
    codec = ["none", "gzip", "snappy", "lz4", "zstd"].index(compression)
    careless = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 100_000)
    for number in range(3):
        headers = [("fine", b"1"), (_NoText("x"), b"2")] if number == 1 else [("fine", b"1")]
        careless.append(number, None, b"key", f"careless {number}".encode(), headers)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_settings.kafka_bootstrap)
    await producer.start()
    topic = kafka_settings.topic(topics.REQUESTS)
    for value in (b"before", careless, b"after"):
        batch = producer.create_batch()
        if isinstance(value, bytes):
            batch.append(timestamp=None, key=b"key", value=value)
        else:
            batch._builder = value  # noqa: SLF001 - the client itself writes text only
            batch._relative_offset = 3  # noqa: SLF001
        await (await producer.send_batch(batch, topic, partition=0))
    await producer.stop()
    found: dict[bytes | None, list[str]] = {}

    async def read() -> bool:
        for record in (await consumer.batch()).records:
            found[record.value] = [name for name, _ in record.headers]
        return len(found) == 5

    async with open_consumer(kafka_settings, "reader", [topics.REQUESTS], 100) as consumer:
        await waiting.until(read, 30, "all five records")
    assert found[b"careless 1"] == ["fine", "\\xff\\xfe"]
    assert found[b"careless 2"] == ["fine"]
