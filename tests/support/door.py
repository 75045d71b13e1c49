"""A running ingest with a tenant and a key: ask at both doors, read what it wrote to its topics."""

import contextlib
import http.client
import io
import json
import pathlib
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import access
from shared.contract import topics
from shared.contract.importance import Lane
from shared.contract.records import Record
from shared.kafka.consumer import open_consumer
from shared.kafka.producer import open_producer
from shared.postgres import tenants
from shared.runtime.settings import KafkaSettings
from tests.support import databases, service, waiting
from tests.support import topics as topics_support

Json = dict[str, Any]
Headers = Mapping[str, str | bytes] | Mapping[str, str] | Sequence[tuple[str, bytes]]
TENANT = "acme"
SECRET = b"0123456789abcdef0123456789abcdef"
ACCEPTED = [topics.accepted(lane) for lane in Lane]


def body(**fields: Any) -> Json:
    """The smallest valid body, with fields added or replaced; `class_key` stands for the field `class`."""
    whole = {"source": "billing", "name": "Enquiry", "description": "Please answer", "recipients": ["ada"], **fields}
    if "class_key" in whole:
        whole["class"] = whole.pop("class_key")
    return whole


def told_after_sending(ingest: "Ingest", body: bytes | Iterable[bytes]) -> tuple[int, Json]:
    """POST as the standard library does, which reads no answer before it has sent the whole body; blocks."""
    caller = http.client.HTTPConnection(urllib.parse.urlsplit(ingest.running.http).netloc, timeout=20)
    with contextlib.closing(caller):
        caller.request(
            "POST", "/v1/notifications", body, {"Authorization": f"Bearer {ingest.key}", "Connection": "close"}
        )
        response = caller.getresponse()
        return response.status, json.loads(response.read())


def _pairs(headers: Headers) -> Iterable[tuple[str, str | bytes]]:
    return headers.items() if isinstance(headers, Mapping) else headers


@dataclass
class Ingest:
    """A running ingest, its tenant's key, the owner's connection to its database, and the settings it was told."""

    running: service.Service
    kafka: KafkaSettings
    http: aiohttp.ClientSession
    owner: asyncpg.Connection
    key: str
    told: Mapping[str, str]

    async def post(
        self, content: Any, headers: Mapping[str, str] | None = None, path: str = "/v1/notifications"
    ) -> tuple[int, Json]:
        """POST a body (JSON unless it is bytes) with the tenant's key; the status and the answer."""
        raw = io.BytesIO(content if isinstance(content, bytes) else json.dumps(content).encode())
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        async with self.http.post(self.running.http + path, data=raw, headers=given) as response:
            answer: Json = await response.json(content_type=None)
            return response.status, answer

    async def produce(self, *asked: tuple[Any, Headers]) -> None:
        """Write records (JSON unless they are bytes or None) with headers to notifications.requests."""
        written = [
            Record(
                topics.REQUESTS,
                b"key",
                content if isinstance(content, bytes | None) else json.dumps(content).encode(),
                [(name, value if isinstance(value, bytes) else value.encode()) for name, value in _pairs(headers)],
            )
            for content, headers in asked
        ]
        async with open_producer(self.kafka) as producer:
            await producer.send_all(written)

    async def written(self, names: Sequence[str], wanted: Callable[[Json], bool], count: int) -> list[Json]:
        """The records of these topics that are wanted, as JSON, once they are `count` or more."""
        async with open_consumer(self.kafka, f"reader.{uuid.uuid4()}", names, 1_000) as consumer:
            seen: list[Json] = []

            async def enough() -> bool:
                found = [json.loads(record.value or b"null") for record in (await consumer.batch(0.2)).records]
                seen.extend(filter(wanted, found))
                return len(seen) >= count

            await waiting.until(enough, 30, f"{count} records on {names}")
            return seen

    async def accepted(self, *answers: Json) -> list[Json]:
        """The accepted notifications that these answers of the door mean, once all of them are on their topics."""
        wanted = {answer["notification_id"] for answer in answers}
        return await self.written(ACCEPTED, lambda found: found["notification_id"] in wanted, len(wanted))

    async def ends(self) -> int:
        """How many records the topics behind this ingest's doors have taken in all."""
        client = AIOKafkaConsumer(bootstrap_servers=self.kafka.kafka_bootstrap)
        await client.start()
        try:
            names = [self.kafka.topic(name) for name in (*ACCEPTED, topics.SCHEDULED)]
            partitions = [TopicPartition(name, number) for name in names for number in range(topics_support.PARTITIONS)]
            client.assign(partitions)
            return sum((await client.end_offsets(partitions)).values())
        finally:
            await client.stop()

    async def metric(self, sample: str) -> float:
        """The value of a metric by its name and labels, 0 where it is absent."""
        async with self.http.get(self.running.ops + "/metrics") as response:
            lines = (await response.text()).splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    async def new_key(self, scopes: Sequence[str]) -> str:
        """Another key of the tenant."""
        return await tenants.create_key(self.owner, TENANT, "another", scopes, SECRET)


@contextlib.asynccontextmanager
async def ingest(
    database: databases.Database,
    kafka: KafkaSettings,
    folder: pathlib.Path,
    output: IO[bytes] | None = None,
    /,
    **settings: str,
) -> AsyncIterator[Ingest]:
    """An ingest of its own, ready, with a tenant and a key that may publish; it logs to `output`."""
    secret = folder / "secret"
    secret.write_bytes(SECRET)
    owner = await asyncpg.connect(database.owner)
    try:
        await tenants.create_tenant(owner, TENANT, "Acme")
        key = await tenants.create_key(owner, TENANT, "test", [access.Scope.PUBLISH], SECRET)
        told = {
            "postgres_dsn": database.dsn("ingest"),
            "kafka_bootstrap": kafka.kafka_bootstrap,
            "topic_prefix": kafka.topic_prefix,
            "api_key_secret_file": str(secret),
            **settings,
        }
        async with service.running("ingest", told, output) as running, aiohttp.ClientSession() as http:
            await running.until("/readyz", 200)
            yield Ingest(running, kafka, http, owner, key, told)
            assert await running.stop() == 0
    finally:
        await owner.close()


@contextlib.asynccontextmanager
async def alone(
    kafka_bootstrap: str, postgres_server: str, folder: pathlib.Path, **settings: str
) -> AsyncIterator[Ingest]:
    """An ingest with topics and a database of its own, for fixtures that live longer than one test."""
    async with topics_support.prefixed(kafka_bootstrap) as prefix, databases.cloned(postgres_server) as database:
        kafka = KafkaSettings(kafka_bootstrap=kafka_bootstrap, topic_prefix=prefix)
        await topics_support.create(kafka)
        async with ingest(database, kafka, folder, **settings) as running:
            yield running
