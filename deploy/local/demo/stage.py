"""The demo's connections to a running stack: set it up, send, look what arrived."""

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import aiohttp
import aiokafka

from deploy.local.demo import reckoning, workload
from deploy.local.demo.workload import Door, Kind, Request
from shared.client import Console
from shared.client.answers import Endpoint
from shared.contract import ids, topics

AT_ONCE = 8  # requests under way at the HTTP door
ANSWER_SECONDS = 30.0


def is_of_demo(endpoint: Endpoint, users: Collection[str]) -> bool:
    """Whether an endpoint is one that an earlier demo made; whoever tries Tocsin keeps theirs."""
    of_catcher = rf"http://127\.0\.0\.1:\d+/hooks/{re.escape(endpoint.recipient)}"
    return endpoint.recipient in users and re.fullmatch(of_catcher, endpoint.address) is not None


class Stage:
    """One running stack, as its document (`endpoints.json`) describes it."""

    def __init__(self, document: dict[str, Any], http: aiohttp.ClientSession) -> None:
        self._document = document
        self._demo = document["demo"]
        self._http = http

    @property
    def users(self) -> Sequence[str]:
        """The demo tenant's users."""
        users: list[str] = self._demo["users"]
        return users

    async def set_up(self) -> None:
        """Classes, and a webhook for each user: made anew, since the catcher's port changes with each start."""
        async with Console(self._document["console"], self._demo["admin_key"]) as console:
            for key, options in workload.CLASSES.items():
                await console.put_class(key, options)
            for endpoint in [endpoint async for endpoint in console.endpoints() if is_of_demo(endpoint, self.users)]:
                await console.delete_endpoint(endpoint.id)
            for user in self.users:
                await console.create_endpoint(user, f"{self._document['mailbox']}/hooks/{user}")

    async def send(self, requests: Sequence[Request]) -> reckoning.Answers:
        """Send everything through its door, and learn what each door made of it."""
        answers = reckoning.Answers()
        half = len(requests) // 2  # duplicates stand in the second half, what they repeat in the first
        async with self._rejections() as rejections, self._producer() as producer:
            for part in (requests[:half], requests[half:]):
                limit = asyncio.Semaphore(AT_ONCE)
                async with asyncio.TaskGroup() as group:
                    for request in part:
                        group.create_task(self._send(request, producer, limit, answers))
            wanted = sum(request.door is Door.TOPIC and request.kind is Kind.INVALID for request in requests)
            answers.rejected += await _count(rejections, {request.token for request in requests}, wanted)
        return answers

    async def received(self, requests: Sequence[Request]) -> reckoning.Received:
        """What has arrived by now."""
        hooks = {user: await self._hooks(user) for user in self.users}
        async with self._http.get(f"{self._document['mailbox']}/api/mails") as response:
            return reckoning.received(hooks, await response.json(), requests)

    async def _hooks(self, user: str) -> list[dict[str, str]]:
        async with self._http.get(f"{self._document['mailbox']}/api/hooks/{user}") as response:
            return [json.loads(hook["body"]) for hook in await response.json()]

    async def _send(
        self,
        request: Request,
        producer: aiokafka.AIOKafkaProducer,
        limit: asyncio.Semaphore,
        answers: reckoning.Answers,
    ) -> None:
        if request.door is Door.HTTP:
            async with limit:
                await self._post(request, answers)
            return
        headers = [("tenant", self._demo["tenant"].encode()), ("content-type", b"application/json")]
        await producer.send_and_wait(topics.REQUESTS, json.dumps(request.body).encode(), headers=headers)
        answers.accepted += request.kind is Kind.VALID

    async def _post(self, request: Request, answers: reckoning.Answers) -> None:
        headers = {"Authorization": f"Bearer {self._demo['api_key']}"}
        url = f"{self._document['ingest']}/v1/notifications"
        async with self._http.post(url, json=request.body, headers=headers) as response:
            answer = await response.json()
        known = str(ids.keyed_notification(self._demo["tenant"], workload.SOURCE, request.key))
        match request.kind, response.status, answer.get("notification_id"):
            case Kind.VALID, 202, named if named == known:
                answers.accepted += 1
            case Kind.DUPLICATE, 202, named if named == known:
                answers.duplicates += 1
            case Kind.INVALID, 422, None:
                answers.rejected += 1
            case kind, status, _:
                answers.oddities.append(f"{request.token} ({kind}) was answered {status}: {json.dumps(answer)[:200]}")

    @contextlib.asynccontextmanager
    async def _producer(self) -> AsyncIterator[aiokafka.AIOKafkaProducer]:
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=self._document["kafka"], acks="all")
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    @contextlib.asynccontextmanager
    async def _rejections(self) -> AsyncIterator[aiokafka.AIOKafkaConsumer]:
        consumer = aiokafka.AIOKafkaConsumer(
            topics.REJECTED, bootstrap_servers=self._document["kafka"], auto_offset_reset="latest"
        )
        await consumer.start()
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)  # fixes the end now, not when the first record is asked for
        try:
            yield consumer
        finally:
            await consumer.stop()


async def _count(rejections: aiokafka.AIOKafkaConsumer, tokens: set[str], wanted: int) -> int:
    """How many of our requests the topic door rejected, once all that had to be were or time is up."""
    found: set[str] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(found) < wanted:
                record = await rejections.getone()
                found.update(token for token in workload.tokens(_original(record.value)) if token in tokens)
    return len(found)


def _original(rejection: bytes) -> str:
    return base64.b64decode(json.loads(rejection).get("original") or "").decode(errors="replace")
