"""The embedded broker: starts, survives a kill with what it acknowledged, ends clean."""

import pathlib

import aiokafka
import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import kafka


async def _create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()


async def _produce(bootstrap: str, topic: str, value: bytes) -> None:
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait(topic, value)
    await producer.stop()


async def _first(bootstrap: str, topic: str) -> bytes | None:
    consumer = aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    record = await consumer.getone()
    await consumer.stop()
    value: bytes | None = record.value
    return value


async def test_what_kafka_acknowledged_survives_a_kill_and_it_returns_on_the_same_port(tmp_path: pathlib.Path) -> None:
    broker = kafka.Kafka(tmp_path)
    try:
        address = await broker.start()
        await _create(address, "kept")
        await _produce(address, "kept", b"value")
        await broker.kill()
        assert broker.returncode == -9
        assert await broker.start() == address
        assert await _first(address, "kept") == b"value"
    finally:
        await broker.stop()
    assert broker.pid is not None
    assert not psutil.pid_exists(broker.pid)


async def test_kafka_creates_no_topic_that_nobody_declared(kafka_bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    described = await admin.describe_topics(["never.declared"])
    await admin.close()
    assert [topic["error_code"] for topic in described] == [3]
