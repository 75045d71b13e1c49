"""The broker's own topic for consumer groups, which it makes when the first group asks for its coordinator."""

import asyncio
import contextlib

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

ASK_AGAIN_SECONDS = 0.05
ENOUGH_SECONDS = 10.0


async def ready(bootstrap: str) -> None:
    """Ask until there is a coordinator: else the first consumers of a new cluster log as an error that there is none.

    Gives up silently, since consumers ask again by themselves.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(ENOUGH_SECONDS):
            await client.start()
            while not await _answers(client):
                pass
    await client.close()


async def _answers(client: AIOKafkaAdminClient) -> bool:
    try:
        await client.find_coordinator("tocsin")
    except KafkaError:
        await asyncio.sleep(ASK_AGAIN_SECONDS)
        return False
    return True
