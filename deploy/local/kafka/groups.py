"""Consumer groups at a start: the broker's own topic for them, and members that a killed run left in them."""

import asyncio
import contextlib

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest, ListGroupsRequest
from aiokafka.protocol.group import LeaveGroupRequest

from deploy.local.kafka.properties import NODE

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


async def forget_members(bootstrap: str, prefix: str) -> None:
    """Have the groups whose names begin so forget their members: while one waits for who was killed, nobody gets in.

    It would wait for as long as their session lasts. Who lives all the same joins again. Gives up silently, since then
    the sessions run out by themselves.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(ENOUGH_SECONDS):
            await client.bootstrap()
            for group, member in await _members(client, prefix):
                await client.send(NODE, LeaveGroupRequest(group, member))
    await client.close()


async def _members(client: AIOKafkaClient, prefix: str) -> list[tuple[str, str]]:
    """Each (group, member id), asked for until the broker has read them all."""
    while True:
        try:
            listed = await client.send(NODE, ListGroupsRequest())
            _answered(listed.error_code)
            groups = [group for group, _ in listed.groups if group.startswith(prefix)]
            return [(group, member) for group in groups for member in await _members_of(client, group)]
        except KafkaError:
            await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _members_of(client: AIOKafkaClient, group: str) -> list[str]:
    # One group at a time: aiokafka 0.14 cannot read an answer about two.
    [(code, _, _, _, _, members, *_)] = (await client.send(NODE, DescribeGroupsRequest([group]))).groups
    _answered(code)
    return [member[0] for member in members]


def _answered(code: int) -> None:
    if for_code(code).retriable:
        raise for_code(code)
