"""Services die in the middle of their work: nothing accepted is lost, nothing arrives visibly twice."""

import asyncio

import pytest

from deploy.local import trial
from tests.support import flow, replicas

pytestmark = [pytest.mark.timeout(400), pytest.mark.enable_socket]

NOTIFICATIONS = 3_000
RECIPIENTS = 3
PER_SECOND = 100.0

_SHORT_LEASES = {
    "TOCSIN_LEASE_SECONDS": "8",
    "TOCSIN_SEND_TIMEOUT_SECONDS": "3",
    "TOCSIN_WAIT_FOR_DESTINATION_SECONDS": "2",
    "TOCSIN_SESSION_TIMEOUT_SECONDS": "6",
    "TOCSIN_HEARTBEAT_SECONDS": "2",
}


async def test_killing_each_service_and_all_at_once_loses_nothing_and_repeats_nothing_visibly() -> None:
    async with trial.started(environment=_SHORT_LEASES) as system:
        users = await system.populate(20)
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


async def test_replicas_join_and_leave_under_load_and_end_cleanly() -> None:
    async with trial.started(environment=_SHORT_LEASES) as system:
        users = await system.populate(20)
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
