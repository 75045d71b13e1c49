"""Services die in the middle of their work: nothing accepted is lost, nothing arrives visibly twice."""

import asyncio

import pytest

from deploy.local.trial import Trial
from tests.support import flow, replicas

pytestmark = [
    pytest.mark.timeout(400), pytest.mark.enable_socket, pytest.mark.asyncio(loop_scope="session"),
]  # fmt: skip

NOTIFICATIONS = 3_000
RECIPIENTS = 3
PER_SECOND = 100.0


async def test_killing_each_service_and_all_at_once_loses_nothing_and_repeats_nothing_visibly(system: Trial) -> None:
    users = await system.populate(20, "killed")
    ledger = flow.Ledger()
    sending = asyncio.create_task(flow.send(system, users, NOTIFICATIONS, RECIPIENTS, PER_SECOND, ledger))
    for service in replicas.SERVICES:
        await replicas.kill(system, service)
    await replicas.kill(system, *replicas.SERVICES)
    await sending

    found = await flow.settled(system, users, ledger)

    assert ledger.repeats > 0, "no kill was felt at the door: nothing was tried"
    assert len(ledger.promised) == NOTIFICATIONS * RECIPIENTS
    assert found.lost(ledger) == set()
    assert found.visible_repeats() == []
    assert set(found.pairs.values()) == ledger.promised, "something arrived that was not asked for"


async def test_replicas_join_and_leave_under_load_and_end_cleanly(system: Trial) -> None:
    users = await system.populate(20, "doubled")
    ledger = flow.Ledger()
    sending = asyncio.create_task(flow.send(system, users, 1_000, RECIPIENTS, 50.0, ledger))
    codes = {}
    for service in replicas.SERVICES:
        async with replicas.doubled(system, service) as process:
            codes[service], _ = await replicas.ended(process, within_seconds=25.0)
    await sending

    found = await flow.settled(system, users, ledger)

    assert codes == dict.fromkeys(replicas.SERVICES, 0)
    assert found.lost(ledger) == set()
    assert found.visible_repeats() == []
